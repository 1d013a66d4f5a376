"""Text as a stream and by sentences: batches, vocabulary, predictions and samples of a language model."""

import pytest

from rnnlm.errors import UsageError
from rnnlm.lm.network import NetworkScorer
from rnnlm.tasks.base import TASKS
from rnnlm.text import windows
from tests.kinds import MODELS, network_of, refused


@pytest.mark.parametrize(("reading", "kind"), [("stream", windows.Stream), ("sentences", windows.Sentences)])
def test_batches(tiny, reading, kind):
    experiment = tiny(f"data.reading={reading}", "data.rare_as_unk=0")
    batcher = experiment.trainer.reading
    assert type(batcher) is kind
    assert experiment.task.stream == (reading == "stream")
    if reading == "sentences":
        tokens = [batch.tokens for batch in batcher.batches()]
        assert experiment.trainer.tokens == pytest.approx(sum(tokens))
    else:
        assert experiment.trainer.tokens is None


@pytest.mark.parametrize("reading", ["stream", "sentences"])
def test_predictions_are_those_of_the_scorer(reading):
    network, task = network_of(MODELS["embedding"]), TASKS[reading]
    words = network.vocab.words[4:6]
    (answer,) = task.predict(network, " ".join(words), 3, None)
    rows = answer.facts["predictions"]
    assert [row["after"] for row in rows] == ["</s>" if reading == "stream" else "<s>", *words]
    found = list(NetworkScorer(network, task.stream).likeliest(words, 3))
    assert [[(one["word"], one["p"]) for one in row["next"]] for row in rows] == found
    table, end = answer.lines
    assert ([row[0] for row in table], end) == ([row["after"] for row in rows], "")


@pytest.mark.parametrize(("options", "word"), [((20, None), "-k 20"), ((None, 3), "--beam")])
def test_options_of_predict_that_cannot_be(options, word):
    network = network_of(MODELS["embedding"])
    assert word in refused(UsageError, list, TASKS["stream"].predict(network, "w1", *options))[0]


@pytest.mark.parametrize("level", ["word", "char"])
def test_samples_depend_on_the_step_alone(tiny, level):
    experiment = tiny(f"data.level={level}", "training.samples=3")
    lines = experiment.shown()
    assert len(lines) == 3
    assert lines == experiment.shown()

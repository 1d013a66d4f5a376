"""Units of a network over a text: features of the text, and units that are found by them."""

from pathlib import Path

import numpy as np
import pytest

from rnnlm.errors import DataError, UsageError
from rnnlm.experiment import prepare
from rnnlm.loading import Loaded, load_model
from rnnlm.show.units import inside, letters, readings
from rnnlm.tasks.base import TASKS
from tests.kinds import TREES, network_of


def loaded_of(experiment):
    """The model of an experiment as it would be loaded from its file."""
    return Loaded(Path("model.npz"), experiment.config, experiment.vocab, experiment.trainer.network, {})


def test_inside_quotation_marks_and_brackets():
    quoted, bracketed = inside(list('a "b (c)" d)e'))
    assert "".join(str(int(q)) for q in quoted) == "0011111100000"
    assert "".join(str(int(b)) for b in bracketed) == "0000011000000"
    quoted, bracketed = inside(["say", "``", "so", "''", "f(x", "y)", "f(x)", '"', "to", "the", "end"])
    assert quoted.tolist() == [0, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1]
    assert bracketed.tolist() == [0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]
    quoted, bracketed = inside(list("他（她）说：“好。”吗"))
    assert quoted.tolist() == [0, 0, 0, 0, 0, 0, 1, 1, 1, 0, 0]
    assert bracketed.tolist() == [0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0]


def test_letters_of_the_word_so_far():
    assert letters(["<s>", *"ab c3!x"]).tolist() == [0, 1, 2, 0, 1, 2, 0, 1]


@pytest.mark.parametrize("name", ["stream", "sentences", "char"])
def test_units_that_stand_out(trained, name):
    loaded = load_model(trained[name])
    (one,) = readings(loaded, trained["test.txt"], tokens=300)
    assert len(one.words) == 300
    assert one.words[0] == ("<s>" if name == "sentences" else "</s>")
    assert all(one.words[n] == one.words[0] for n in one.lines)
    assert one.absent == ["inside quotation marks", "inside brackets"]
    assert [unit.feature for unit in one.units] == list(one.features)
    for unit in one.units:
        p = one.features[unit.feature]
        assert unit.correlation[unit.feature] == pytest.approx(np.corrcoef(p, unit.values)[0, 1], abs=1e-9)
    position = one.units[0]
    for number in range(16):
        (other,) = readings(loaded, trained["test.txt"], tokens=300, chosen=[str(number)])[0].units
        assert (other.number, other.feature) == (number, "")
        assert other.explained[position.feature] <= position.explained[position.feature] + 1e-12


def test_the_state_is_carried_through_a_stream_alone(trained):
    for name, same in (("stream", False), ("sentences", True)):
        (one,) = readings(load_model(trained[name]), trained["test.txt"], tokens=100, chosen=["3"])
        first, second, *_ = one.lines
        assert (one.units[0].values[first] == one.units[0].values[second]) == same


def test_best_units_of_each_feature(trained):
    (one,) = readings(load_model(trained["stream"]), trained["test.txt"], best=3)
    explained = [unit.explained[unit.feature] for unit in one.units]
    assert len(explained) == 6
    assert explained[:3] == sorted(explained[:3], reverse=True)


@pytest.mark.parametrize("unit", ["16", "c3", "2:3", "x", "", "0:1", "99999999999", "-1"])
def test_units_that_do_not_exist(trained, unit):
    with pytest.raises(UsageError, match="--unit"):
        readings(load_model(trained["stream"]), trained["test.txt"], chosen=[unit])


def test_layers_and_memory(tiny):
    settings = "model.cell={kind: stack, cells: [{kind: lstm, size: 4}, {kind: gru, size: 6}]}"
    one, chosen = loaded_of(tiny(settings)), ["0", "c1", "2:5"]
    (reading,) = readings(one, "valid.txt", chosen=chosen)
    assert [(unit.layer, unit.part, unit.number) for unit in reading.units] == [
        ("layer 1", "h", 0), ("layer 1", "tanh c", 1), ("layer 2", "h", 5),
    ]  # fmt: skip
    assert all(np.abs(unit.values).max() < 1 for unit in reading.units)
    with pytest.raises(UsageError, match="c1"):
        readings(one, "valid.txt", chosen=["2:c1"])


@pytest.mark.parametrize(("reading", "sides"), [
    ("blanks", [""]), ("labelled", [""]), ("pairs", ["encoder", "decoder"]), ("vectors", ["decoder"]),
])  # fmt: skip
def test_other_tasks(task, reading, sides):
    loaded = loaded_of(prepare(task(reading)))
    text = "valid.npy" if reading == "vectors" else "valid.txt"
    found = readings(loaded, text)
    assert [one.side for one in found] == sides
    for one in found:
        assert all(len(unit.values) == len(one.words) for unit in one.units)


def test_nodes_of_trees_are_no_sequence(tmp_path):
    (tmp_path / "trees.txt").write_text("(w0 w1)\n")
    network = network_of(TREES["embedding"])
    with pytest.raises(UsageError, match="tree"):
        list(TASKS["trees"].read_through(network, str(tmp_path / "trees.txt")))


def test_a_text_without_words(trained, tmp_path):
    (tmp_path / "empty.txt").write_text("\n  \n")
    with pytest.raises(DataError, match="empty.txt"):
        readings(load_model(trained["stream"]), tmp_path / "empty.txt")

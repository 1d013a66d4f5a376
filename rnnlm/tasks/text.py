"""Text for language models: one continuous stream, or independent sentences."""

from __future__ import annotations

from rnnlm.errors import UsageError
from rnnlm.lm import perplexity
from rnnlm.lm.network import NetworkScorer
from rnnlm.lm.sample import sample
from rnnlm.nn.gradcheck import synthetic_batch
from rnnlm.tasks.base import DEFAULT_K, Answer, Likely, Task, questions
from rnnlm.text import vocab, windows
from rnnlm.text.corpus import encode
from rnnlm.text.lines import lines
from rnnlm.text.unknown import UnknownWords


class Stream(Task, reading="stream"):
    """One continuous text, whose state is carried from window to window."""

    doc = "one continuous text, whose state is carried from sentence to sentence"
    stream = True
    commands = ("predict", "sample", "score")
    next = ("sample {} -n 10",)

    def check(self, data):
        pass

    def counts(self, data, share):
        text = (line for path in data.train for line in lines(path))
        counts = vocab.count(text, data.level, data.lower, data.blank_lines)
        if share is not None:  # where to cut is known only in tokens: encode with every word, cut, count the head
            every = vocab.build(counts)
            counts = encode(data.train, every, data.blank_lines).split(share)[0].counts(every)
        return counts

    def encode(self, paths, words, data, model):
        return encode(paths, words, data.blank_lines)

    def split(self, corpus, share):
        return corpus.split(share)

    def batcher(self, corpus, batch, window):
        return windows.Stream(corpus, batch, window)

    def mean_tokens(self, corpus, batcher):
        return None

    def loss(self, network, corpus, batch, share=(0, 1)):
        return perplexity.loss(network, corpus, self.stream, share)

    def predict(self, network, text, k, beam):
        """The k likeliest next words at the start of each line, and after each of its words."""
        if beam is not None:
            raise UsageError("--beam: a language model has no answers to search for", "`rnnlm sample` writes text")
        k, words = k or DEFAULT_K, network.vocab
        if k >= len(words):
            raise UsageError(f"-k {k}: only {len(words) - 1} words of the vocabulary can come next", "ask for fewer")
        scorer = NetworkScorer(network, self.stream)
        for line in questions(text):
            unknown = UnknownWords(words)
            tokens = unknown.split(line)
            found = [[Likely(*one) for one in best] for best in scorer.likeliest(tokens, k)]
            rows = list(zip([words.words[scorer.start], *tokens], found))
            facts = [{"after": word, "next": [one._asdict() for one in best]} for word, best in rows]
            yield Answer(
                {"text": line, "predictions": facts}, [[[word, *best] for word, best in rows], ""], unknown.note
            )

    def samples(self, network, corpus, number, rng):
        """Text drawn from the model."""
        limit = 200 if network.vocab.level == "char" else 30
        return [one.text(network) for one in sample(network, number, self.stream, rng, max_tokens=limit)]

    def synthetic_batch(self, network, T, B, rng):
        return synthetic_batch(len(network.vocab), T, B, rng)


class Sentences(Stream, reading="sentences"):
    """Sentences, each of which starts from the initial state."""

    doc = "independent sentences"
    stream = False

    def batcher(self, corpus, batch, window):
        return windows.Sentences(corpus, batch)

    def mean_tokens(self, corpus, batcher):
        return len(corpus.ids) / len(batcher)

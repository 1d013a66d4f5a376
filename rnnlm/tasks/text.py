"""Text for language models: one continuous stream, or independent sentences."""

from __future__ import annotations

from rnnlm.errors import UsageError
from rnnlm.lm import perplexity
from rnnlm.lm.network import NetworkScorer
from rnnlm.lm.sample import sample
from rnnlm.nn.gradcheck import synthetic_batch
from rnnlm.nn.watch import Watch
from rnnlm.tasks.base import DEFAULT_K, Answer, Task, questions
from rnnlm.tasks.unrolled import Prediction, Side, Unrolled, chains, known, run
from rnnlm.text import vocab, windows
from rnnlm.text.corpus import encode
from rnnlm.text.lines import lines
from rnnlm.text.unknown import UnknownWords
from rnnlm.text.vocab import EOS, readable


class Stream(Task, reading="stream"):
    """One continuous text, whose state is carried from window to window."""

    doc = "one continuous text, whose state is carried from sentence to sentence"
    stream = True
    commands = ("predict", "sample", "score")
    next = ("sample {} -n 10",)

    def check(self, data):
        if data.documents and data.blank_lines:
            raise ValueError(
                "documents: blank_line: empty lines part documents, or are sentences: set blank_lines: false"
            )

    def counts(self, data, share, column=None):
        text = (line for path in data.train for line in lines(path))
        counts = vocab.count(text, data.level, data.lower, data.blank_lines)
        if share is not None:  # where to cut is known only in tokens: encode with every word, cut, count the head
            every = vocab.build(counts)
            counts = encode(data.train, every, data.blank_lines).split(share)[0].counts(every)
        return counts

    def encode(self, paths, words, data, model):
        return encode(paths, words, data.blank_lines, documents=data.documents is not None)

    def split(self, corpus, share):
        return corpus.split(share)

    def batcher(self, corpus, batch, window, jitter=0):
        if corpus.starts is not None:
            return windows.Documents(corpus, batch, window)
        return windows.Stream(corpus, batch, window, jitter)

    def tokens(self, corpus, jitter):
        return None if corpus.starts is None and not jitter else self.predictions(corpus)

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
            rows = list(zip([words.words[scorer.start], *tokens], scorer.likeliest(tokens, k)))
            facts = [{"after": word, "next": [one._asdict() for one in best]} for word, best in rows]
            yield Answer(
                {"text": line, "predictions": facts}, [[[word, *best] for word, best in rows], ""], unknown.note
            )

    def unroll(self, network, example, k):
        """A line with its end, from the initial state: L = -log p of its words and of `</s>`."""
        scorer, words, unknown = NetworkScorer(network, self.stream), network.vocab, UnknownWords(network.vocab)
        tokens = unknown.split(example)
        batch = whole(scorer, tokens)
        bits, seen = run(network, batch)
        likely = scorer.likeliest(tokens, min(k, len(words) - 1))
        came = [*tokens, words.words[EOS]]
        said = [Prediction(*one) for one in zip(likely, came, bits[:, 0])]
        side = Side(
            "", [words.words[scorer.start], *tokens], [True, *known(tokens, words)], chains(seen), said, ahead=True
        )
        return Unrolled(example, "-log p of its words", float(bits.sum()), [side], unknown.note)

    def read_through(self, network, path):
        """Side of each line; where lines are a stream, the state is carried from one to the next."""
        scorer, words, watch, state = NetworkScorer(network, self.stream), network.vocab, Watch(network), None
        for tokens in filter(None, map(words.split, lines(path))):
            fresh = state is None or not self.stream
            _, state, seen = watch.read(whole(scorer, tokens, fresh), state)
            read = [words.words[scorer.start], *tokens]
            yield [Side("", read, [True, *known(tokens, words)], chains(seen), [None] * len(read))]

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

    def check(self, data):
        if data.documents:
            raise ValueError(
                "documents: with reading sentences no state is carried that they could reset; leave it out"
            )

    def batcher(self, corpus, batch, window, jitter=0):
        return windows.Sentences(corpus, batch)

    def tokens(self, corpus, jitter):
        return self.predictions(corpus)


def whole(scorer: NetworkScorer, tokens: list[str], fresh: bool = True) -> windows.Batch:
    """A sentence and its end as one window of a language model, (n + 1, 1)."""
    targets = readable(scorer.ids(tokens))[:, None]
    return windows.Batch(windows.shifted(targets, scorer.start), targets, fresh=fresh)

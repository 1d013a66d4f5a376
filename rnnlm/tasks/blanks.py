"""Fill in the blank: sentences, each word of which is predicted from all others."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping

import numpy as np

from rnnlm.errors import UsageError
from rnnlm.lm.network import likeliest
from rnnlm.lm.perplexity import rank
from rnnlm.nn.gradcheck import synthetic_batch
from rnnlm.nn.heads.loss import exp_mean
from rnnlm.nn.network import Network
from rnnlm.tasks.base import DEFAULT_K, Answer, Task, questions, sentence, targets_of, verdict
from rnnlm.tasks.unrolled import Prediction, Side, Unrolled, chains, known, run
from rnnlm.text.corpus import encode
from rnnlm.text.unknown import UnknownWords
from rnnlm.text.vocab import BOS, EOS, OOV, SPECIALS, UNK, Vocabulary
from rnnlm.text.windows import BlankBatch, weights_of

BLANK, BLANKS = "____", re.compile("_{3,}")
TOP = 5


class Blanks(Task, reading="blanks"):
    """Sentences, each word of which is predicted from all others."""

    doc = "sentences, each word of which is predicted from all others"
    commands = ("fill",)
    next = ("fill {} TEXT",)

    def encode(self, paths, words, data, model):
        return encode(paths, words)

    def batch(self, corpus, sentences):
        words, valid, lengths = targets_of(corpus, sentences, ends=0)
        return BlankBatch(words, lengths, weights=weights_of(valid))

    def predictions(self, corpus):
        return corpus.words

    def evaluate(self, network, corpus, batch):
        """Pseudo-perplexity, exp of the mean -log p(w_t | all other words), and accuracy, without OOVs and with them.

        It is no perplexity, since these probabilities do not multiply to that of a text. With OOVs, they are `<unk>`.
        """
        e = count(network, self.batcher(corpus, batch, 0).batches())
        known, every = (
            {
                f"pppl{suffix}": exp_mean(e["nats", part], e["words", part]),
                f"accuracy{suffix}": e["right", part] / max(e["words", part], 1),
                f"top{TOP}{suffix}": e["top", part] / max(e["words", part], 1),
            }
            for part, suffix in (("known", ""), ("all", "_unk"))
        )
        with_ends = (e["right", "known"] + corpus.sentences) / (e["words", "known"] + corpus.sentences)
        return {**known, "accuracy_with_ends": with_ends, **every}

    def report(self, figures):
        lines = [
            f"{name}pseudo-perplexity {figures['pppl' + unk]:.6g}   accuracy {figures['accuracy' + unk]:.2%}   "
            f"among {TOP} likeliest {figures[f'top{TOP}' + unk]:.2%}"
            for name, unk in (("", ""), ("# OOV as <unk>: ", "_unk"))
        ]
        return [
            *lines,
            f"# accuracy as `eval --ranks` has it, counting sentence ends, too: {figures['accuracy_with_ends']:.2%}",
            "# each word from all others of its sentence, which tell where it ends; no perplexity",
        ]

    def predict(self, network, text, k, beam):
        """The k likeliest words for each blank of each line; of several blanks, the others are read as `<unk>`."""
        words: Vocabulary = network.vocab
        k, most = k or DEFAULT_K, len(words) - len(SPECIALS)
        if k > most:
            raise UsageError(f"-k {k}: the vocabulary has only {most} words", "ask for fewer")
        for line in questions(text):
            tokens = split(line, words)
            places = [i for i, token in enumerate(tokens) if token == BLANK]
            if not places:
                raise UsageError(f"no blank in {line!r}", f"write {BLANK} in place of a word, with spaces around")
            unknown = UnknownWords(words)
            unknown.count([token for token in tokens if token != BLANK])
            ids = [UNK if i == OOV or token == BLANK else i for token, i in zip(tokens, words.ids(tokens))]
            log_p = log_probs(network, np.array(ids, np.int32))[places]
            log_p[:, [BOS, EOS, UNK]] = -np.inf
            found = [likeliest(row, words.words, k) for row in log_p]
            facts = [[one._asdict() for one in best] for best in found]
            rows = [[f"{BLANK} {n}" if len(found) > 1 else BLANK, *best] for n, best in enumerate(found, 1)]
            yield Answer({"text": line, "blanks": facts}, [rows, ""], unknown.note)

    def unroll(self, network, example, k):
        """A sentence between `<s>` and `</s>`: L is the sum of -log p of each word, those of blanks left out."""
        words, unknown = network.vocab, UnknownWords(network.vocab)
        tokens = split(example, words)
        if not tokens:
            raise UsageError("a line without words", "a blank model predicts each word of a sentence from the others")
        blank = np.array([token == BLANK for token in tokens])
        unknown.count([token for token in tokens if token != BLANK])
        ids = words.read(tokens)
        batch = BlankBatch(ids[:, None], np.array([len(ids)]), weights=(~blank[:, None]).astype(np.float32))
        bits, seen = run(network, batch)
        log_p = log_probs(network, ids)
        log_p[:, [BOS, EOS, UNK]] = -np.inf
        said = [
            Prediction(likeliest(row, words.words, k), *((None, None) if hidden else (token, float(cost))))
            for row, token, hidden, cost in zip(log_p, tokens, blank, bits[:, 0])
        ]
        read = [words.words[BOS], *tokens, words.words[EOS]]
        side = Side("", read, [True, *known(tokens, words), True], chains(seen, apart=2), [None, *said, None])
        loss = "-log p of each word from all others"
        return Unrolled(example, loss, float(bits.sum()), [side], unknown.note)

    def sample(self, network, corpus, i, rng):
        ids, words = sentence(corpus, i), network.vocab
        place = int(rng.integers(len(ids)))
        log_p = log_probs(network, ids)[place]
        guess, true = words.words[log_p.argmax()], words.words[ids[place]]
        shown = [BLANK if j == place else words.words[ids[j]] for j in range(len(ids))]
        return f"{words.join(shown)}   {guess} {np.exp(log_p.max()):.2f} {verdict(guess, true)}"

    def synthetic_batch(self, network, T, B, rng):
        targets = synthetic_batch(len(network.vocab), T, B, rng).targets
        lengths = np.maximum(T - np.arange(B), 1)
        return BlankBatch(targets, lengths, weights=(np.arange(T)[:, None] < lengths).astype(np.float32))


def log_probs(network: Network, ids: np.ndarray) -> np.ndarray:
    """Log-probability of every word in each place of a sentence (n,), given all others: (n, K)."""
    return network.target_log_probs(BlankBatch(ids[:, None], np.array([len(ids)])))[:, 0]


def count(network: Network, batches: Iterator[BlankBatch]) -> Mapping[tuple[str, str], float]:
    """Counts of the words that a blank model predicts, of "all" (OOVs as `<unk>`) and of the "known" ones.

    words; nats: sum of the -log p of the true words; right: the true word is the likeliest; top: it is among the TOP
    likeliest.
    """
    total: Counter[tuple[str, str]] = Counter()
    for batch in batches:
        valid = np.arange(len(batch.targets))[:, None] < batch.lengths
        log_p = network.target_log_probs(batch)[valid]
        targets = batch.targets[valid]
        true = log_p[np.arange(len(targets)), targets]
        place = rank(log_p, targets, never=[BOS, EOS])  # which are never asked for, so never trained
        for part, chosen in (("all", targets >= 0), ("known", targets != UNK)):
            total["words", part] += int(chosen.sum())
            total["nats", part] -= float(true[chosen].sum(dtype=float))  # type: ignore
            total["right", part] += int((place[chosen] == 1).sum())
            total["top", part] += int((place[chosen] <= TOP).sum())
    return total


def split(line: str, words: Vocabulary) -> list[str]:
    """Tokens of a line, each blank being one."""
    if words.level == "word":
        return [BLANK if BLANKS.fullmatch(word) else word for word in words.split(line)]
    pieces = [(BLANKS.fullmatch(piece), piece) for piece in re.split(f"({BLANKS.pattern})", line)]
    return [token for blank, piece in pieces for token in ([BLANK] if blank else words.split(piece))]

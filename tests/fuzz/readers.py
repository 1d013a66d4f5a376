"""What reads: from a random generator, makes an input and gives it to a reader."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import importlib
import io
import json
import lzma
import random
import re
import shutil
import sys
import warnings
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import click
import numpy as np

from rnnlm import config
from rnnlm.cli import COMMANDS, main
from rnnlm.compat import kenlm
from rnnlm.errors import DataError
from rnnlm.experiment import Config, prepare
from rnnlm.lm import arpa
from rnnlm.lm.network import NetworkScorer
from rnnlm.lm.rescoring.formats import FORMATS, IMPOSSIBLE
from rnnlm.lm.rescoring.nbest import guessed, read, read_noise, read_references, write
from rnnlm.loading import load_model
from rnnlm.text import trees as bracketed
from rnnlm.text import vectors, vocab, white
from rnnlm.text.corpus import encode
from rnnlm.text.lines import lines
from rnnlm.text.vocab import Vocabulary
from rnnlm.training.run import Run
from tests.fuzz.inputs import BYTES, NUMBERS, YAML, mutated, mutated_json

TEXT = "the cat sat\n\nthe dog <unk> </s> sees 猫 😀\r\nthe cat\n"
PLAIN = TEXT.encode()
TEXTS = [
    *[compress(PLAIN) for compress in (bytes, partial(gzip.compress, mtime=0), bz2.compress, lzma.compress)],
    *[TEXT.encode(encoding) for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32")],
    *["漢字的文章 天氣好\n漢字\n".encode(encoding) for encoding in ("gb18030", "big5", "euc-jp")],
    *["Привет, мир\n".encode(encoding) for encoding in ("cp1251", "koi8-r")],
    "Café, naïve\n".encode("cp1252"), PLAIN.replace(b"\n", b"\r"), b"\x28\xb5\x2f\xfd\x04",
    b"PK\3\4" + bytes(60), b"%PDF-1.7",
]  # fmt: skip
CONFIGS = [
    b"data: {train: t.txt}\nmodel: {embedding: 2, cell: {kind: stack, cells: [{size: 2}, {size: 3}]}}\n",
    b"data:\n  train: [t.txt]\n  valid: 0.5\noptimizer: adam\ntraining: {epochs: 1, save_every: 1h5m}\nseed: 1\n",
    b"model: &m {head: {kind: adaptive, cutoffs: [4, 5]}}\ndata: {train: t.txt, level: char}\ndtype: float64\n",
]


class Readers:
    """The readers, in a folder of their own, which is the working directory."""

    def __init__(self) -> None:
        self.best = b""
        self._restore()
        settings = {
            "data": {"train": "t.txt"}, "optimizer": "adam", "training": {"epochs": 2, "batch": 2, "window": 2},
            "model": {"embedding": 2, "cell": {"size": 2, "dropconnect": 0.1}, "head": {"tied": True}},
        }  # fmt: skip
        self.experiment, self.run = prepare(config.build(Config, settings)), Run(Path("run"))
        self.run.path.mkdir()
        for _, _event in zip(range(5), self.experiment.trainer.run()):
            self.run.save_best(self.experiment)
            self.run.save_last(self.experiment)
        self.run.describe(self.experiment, ["train"])
        self.best, self.last = self.run.best.read_bytes(), self.run.last.read_bytes()
        self.vocab = self.experiment.vocab
        self.kenlm = kenlm.Model("run")
        self.commands = list(_commands())

    def config(self, rng: random.Random) -> None:
        """The configuration loader."""
        Path("c.yaml").write_bytes(mutated(rng, CONFIGS, BYTES + NUMBERS + YAML))
        config.load("c.yaml", Config)

    def set(self, rng: random.Random) -> None:
        """The parser of --set."""
        bases = [b"model.cell.size=3", b"optimizer={kind: sgd, lr: 0.1}", b"data.train=[a, b]", b"seed=1", b"model=lm"]
        text = mutated(rng, bases, BYTES + NUMBERS + YAML).decode("utf-8", "surrogateescape")
        config.load("t.yaml", Config, [text, "training.epochs=3"])

    def vocabulary(self, rng: random.Random) -> None:
        """The reader of vocabulary files."""
        chars = Vocabulary([*self.vocab.words[:3], "a", "猫"], [0, 1, 2, 3, 4], "char", lower=True)
        data = mutated(rng, [self.vocab.to_bytes(), chars.to_bytes()], BYTES + NUMBERS)
        words = Vocabulary.from_bytes(data, "v.txt")
        assert Vocabulary.from_bytes(words.to_bytes()).fingerprint == words.fingerprint
        words.encode(["the cat a 猫", ""])

    def model(self, rng: random.Random) -> None:
        """The reader of models, from bytes and from archives of other parts; what it takes must then work."""
        Path("m.npz").write_bytes(self._archive(rng, self.best))
        model = load_model("m.npz")
        with np.errstate(all="ignore"):
            for _ in NetworkScorer(model.network, model.stream).log_probs([["the", "x"]]):
                pass

    def checkpoint(self, rng: random.Random) -> None:
        """Resuming: the reader of checkpoints."""
        self.run.previous.unlink(missing_ok=True)
        self.run.best.write_bytes(self.best)
        self.run.last.write_bytes(self._archive(rng, self.last))
        self.run.resume(self.experiment)

    def corpus(self, rng: random.Random) -> None:
        """The reader of texts: compressed, in other encodings, with other line ends, and what is no text."""
        data = mutated(rng, TEXTS)
        Path("c.txt").write_bytes(data)
        found = encode(["c.txt"], self.vocab)
        assert found.ids.min() >= -1
        assert found.ids.max() < len(self.vocab)
        assert found.ends[-1] == len(found.ids)
        assert found.sentences == sum(1 for line in lines("c.txt") if vocab.split(line))
        parted = encode(["c.txt"], self.vocab, documents=True)
        assert sum(len(ids) for document in parted.documents for ids in document) == len(found.ids)

    def vectors(self, rng: random.Random) -> None:
        """The reader of word vectors; all that it finds are finite vectors of words that were asked for."""
        Path("c.vec").write_bytes(mutated(rng, VECTORS, BYTES + NUMBERS))
        with np.errstate(all="ignore"):
            found = vectors.read("c.vec", ["the", "猫"], 3)
        assert found.keys() <= {"the", "猫"}
        assert all(vector.shape == (3,) and np.isfinite(vector).all() for vector in found.values())

    def nbest(self, rng: random.Random) -> None:
        """The readers of n-best lists and of their scores."""
        Path("c.list").write_bytes(mutated(rng, NBEST, BYTES + NUMBERS))
        Path("c.ac").write_bytes(mutated(rng, [b"u-1 -1.5\nu-2 inf\n", b"1e-3\n2\n"], BYTES + NUMBERS))
        form, begun = rng.choice(list(FORMATS)), None
        if rng.random() < 0.3:
            form, begun = guessed("c.list")
        ac = "c.ac" if not FORMATS[form].scored and rng.random() < 0.5 else None
        notes: list[str] = []
        for nbest in read(["c.list"], form, ac, noise={"uh"}, notes=notes, begun=begun):
            for h in nbest.hypotheses:
                assert h.ac >= IMPOSSIBLE
                assert np.isfinite([h.ac, h.old]).all()
                assert "uh" not in h.words
                assert "\n" not in write(nbest.id, h, -1.0, form)

    def words(self, rng: random.Random) -> None:
        """The readers of lists of words and of noise, and of references."""
        data = mutated(rng, WORD_LISTS, BYTES + NUMBERS)
        Path("c.words").write_bytes(data)
        read_noise("c.words")
        with contextlib.suppress(DataError):
            assert all("<s>" not in words for words in read_references("c.words").values())
        found = vocab.load("c.words", rng.choice(["word", "char"]), rng.random() < 0.3)
        assert isinstance(found, Vocabulary) or not {"<s>", "</s>", "<unk>"}.intersection(found)

    def trees(self, rng: random.Random) -> None:
        """The parser of bracketed trees."""
        for line in mutated(rng, TREES).decode("utf-8", "replace").split("\n"):
            if white.strip(line):
                tree = bracketed.parse(line)
                assert len(tree.left) == len(tree.words) - 1

    def strings(self, rng: random.Random) -> None:
        """The methods for strings that KenLM has made common, of bytes and of words one by one."""
        text = mutated(rng, [b"the cat <unk> sat", b"<s> the </s> cat", b""]).decode("utf-8", "replace")
        model, state = self.kenlm, kenlm.State()
        model.scorer.heard.warned = True  # that most words are unknown
        model.BeginSentenceWrite(state)
        total = sum(model.BaseScore(state, word, state) for word in white.split(text))
        assert np.isclose(total, model.score(text, eos=False), rtol=1e-4) or total <= kenlm.ZERO

    def arpa(self, rng: random.Random) -> None:
        """The reader of ARPA files; what it reads can be written and read again."""
        Path("c.arpa").write_bytes(
            mutated(rng, [ARPA, b"iARPA\n" + ARPA, gzip.compress(ARPA, mtime=0)], BYTES + NUMBERS)
        )
        model = arpa.load("c.arpa")
        arpa.save(model, "c2.arpa")
        assert [len(order.keys) for order in arpa.load("c2.arpa").orders] == [len(order.keys) for order in model.orders]

    def cli(self, rng: random.Random) -> None:
        """The options of every command, as a user mistypes them."""
        self._restore()  # what the last command may have written over
        command, *options = rng.choice(self.commands)
        arguments = command.split()
        for _ in range(rng.randrange(6)):
            option = rng.choice([*options, "--debug", "-h", "--", "-", "--xyz"])
            if option == "--follow":  # a run that nobody trains any more is followed until it is interrupted
                continue
            arguments += [option] if rng.random() < 0.3 else [option, self._value(rng)]
        arguments += [rng.choice(NAMES) for _ in range(rng.randrange(3))]
        out = io.TextIOWrapper(io.BytesIO(), "utf-8", "backslashreplace", newline="")  # commands write bytes, too
        stdin, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO(b"the cat\n\xff\n"[: rng.randrange(12)]))
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out), warnings.catch_warnings():
                main(arguments)
        except SystemExit as end:
            out.flush()
            text = out.buffer.getvalue().decode("utf-8", "replace")
            said = not end.code or re.search("^Usage: |^rnnlm: error: (.+\n)+  hint: .+$", text, re.MULTILINE)
            said = said or command == "config check"  # which lists mistakes and nothing else
            traced = "Traceback" in text and "--debug" not in arguments
            if end.code not in (None, 0, 1, 2, 3) or not said or traced:
                raise AssertionError((arguments, end.code, text)) from end
        finally:
            sys.stdin = stdin

    def _value(self, rng: random.Random) -> str:
        if rng.random() < 0.7:
            return rng.choice(
                [*NAMES, "0", "-1", "3", "0.5", "1e9", "nan", "x", "1h", "word", "char", "seed=2", "a.b="]
            )
        return mutated(rng, [b"seed=1"]).decode("utf-8", "replace").replace("/", "_").replace("\0", "")

    def _archive(self, rng: random.Random, data: bytes) -> bytes:
        """A model file, damaged: as bytes, or in its parts."""
        if rng.random() < 0.5:
            return mutated(rng, [data])
        with np.load(io.BytesIO(data)) as archive:
            parts = {name: archive[name] for name in archive.files}
        meta = json.loads(parts["meta"].tobytes())
        change = rng.randrange(4)
        if change == 0:
            name = rng.choice(list(parts))
            parts[name] = rng.choice(
                [np.zeros(3), np.zeros(()), np.zeros((2, 0)), np.array(["x"]), np.zeros(3, complex)]
            )
        elif change == 1:
            parts["vocab"] = np.frombuffer(mutated(rng, [parts["vocab"].tobytes()]), np.uint8)
        elif change == 2:
            name = rng.choice(list(parts))
            array = parts.pop(name)
            parts[rng.choice([name + "x", "weights/x", "weights/\x1b[2J", "slots/x", "state/0", "best/flat"])] = array
        if change == 3 or rng.random() < 0.3:
            parts["meta"] = np.frombuffer(json.dumps(mutated_json(rng, meta)).encode(), np.uint8)
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", rng.choice([zipfile.ZIP_STORED] * 9 + [zipfile.ZIP_DEFLATED])) as archive:
            for name, array in parts.items():
                npy = io.BytesIO()
                np.lib.format.write_array(npy, array, allow_pickle=False)
                header = npy.getvalue()
                archive.writestr(f"{name}.npy", mutated(rng, [header]) if rng.random() < 0.02 else header)
        return file.getvalue()

    def _restore(self) -> None:
        Path("t.txt").write_bytes(TEXT.encode())
        Path("t.yaml").write_bytes(CONFIGS[1])
        Path("t.list").write_bytes(LISTS)
        Path("t.arpa").write_bytes(ARPA)
        if self.best:
            Path("run/best.npz").write_bytes(self.best)
            for path in Path().iterdir():
                if path.name not in ("t.txt", "t.yaml", "t.list", "t.arpa", "run"):
                    shutil.rmtree(path) if path.is_dir() else path.unlink()


NAMES = ["t.txt", "t.yaml", "t.list", "t.arpa", "run", "run/best.npz", "none", "", ".", "-", "-1", "out"]
# Not `data fetch`, which would use the network, nor `memory`, which trains; nor what may take as long as asked.
SLOW = {"fetch", "memory", "-n", "--max-tokens", "--threads", "--resamples"}
VECTORS = [
    "2 3\nthe 0.5 -1 2e-3\n猫 1 2 3 \n".encode(),
    "the 0.5 -1 2e-3\r\n猫 1 2 3\r\nat last 1 2 3\r\n".encode(),
    b"2 3\nthe " + b"\0\0\x80\x3f" * 3 + "\n猫 ".encode() + b"\n \n\0" * 3 + b"\n",
]
NBEST = [
    b"u-1 the uh cat\nu-2 the dog\n", b"-1.5 -20 2 the cat\n-inf 1e3 0\n", b"7 -1.5 -20 2 the cat\n8 1 -1.#INF 0\n",
    b"0 ||| the cat ||| LM0= -2 lm: 3 ||| -1 ||| 0-0\n0 ||| uh ||| x ||| -1\n", b"NBestList1.0\n(-100) the uh\n( 5 )\n",
    b"NBestList2.0\n(-5) the ( st: 0 et: 1 g: -1 a: -4 ) dh ( st: 0 et: .5 g: 0 a: -2 )\n",
]  # fmt: skip
WORD_LISTS = [b"the\ncat\n<s>\n", b"<unk>\0<s>\0the\0", b"<eps> 0\nthe 1\n#0 2\n", b"the\t20\ncat\t3\n"]
TREES = [b"(3 (2 It) (4 (2 works) (2 well)))\n", b"( (a b) \\( (x (y z)))\n(1 word)\n"]
LISTS = b"u 0 -3.5 3 the cat\nu 0 -2.5 2 the dog\n\n"
ARPA = b"\\data\\\nngram 1=4\n\n\\1-grams:\n-99\t<s>\n-0.5\t</s>\n-0.3\tthe\n-0.8\tcat\n\n\\end\\\n"


def _commands() -> Iterator[list[str]]:
    """Every command with its options, and the old flags."""
    yield ["-rnnlm", "-test", "-nbest", "-debug", "-independent"]
    for name in COMMANDS:
        command = importlib.import_module(f"rnnlm.cli.{name}").command
        inner = _inner(command) if isinstance(command, click.Group) else {"": command}
        for sub, part in inner.items():
            if SLOW.isdisjoint([name, sub]):
                options = [text for param in part.params for text in param.opts if text.startswith("-")]
                yield [f"{name} {sub}".strip(), *(text for text in options if text not in SLOW)]


def _inner(group: click.Group) -> dict[str, click.Command | None]:
    """The commands of a group, by name."""
    context = click.Context(group)
    return {name: group.get_command(context, name) for name in group.list_commands(context)}


READERS = [
    "config", "set", "vocabulary", "model", "checkpoint", "corpus", "vectors", "nbest", "words", "trees", "strings",
    "arpa", "cli",
]  # fmt: skip

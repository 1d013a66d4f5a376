"""The table in docs/text.md of what is done with odd text: every row of it, and no other, is a test."""

import gzip
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rnnlm.errors import DataError
from rnnlm.lm import perplexity as evaluate
from rnnlm.nn.models import LanguageModel
from rnnlm.nn.network import Network
from rnnlm.text import lines as lines_module
from rnnlm.text.corpus import encode
from rnnlm.text.lines import lines
from rnnlm.text.vocab import EOS, OOV, UNK, build, count
from rnnlm.text.windows import Sentences

PAGE = Path(__file__).parents[2] / "docs" / "text.md"

UTF8 = "convert it, for example with: iconv -f ISO-8859-1 -t UTF-8"
FOLD = "break it up, for example with: fold -s -w 1000"
ROWS = [
    cells[1].strip()
    for cells in re.findall(
        r"^(\|)(.*?)\|.*\|$",
        PAGE.read_text(encoding="utf-8").partition("| in the text |")[2].partition("\n\n")[0],
        re.MULTILINE,
    )
][1:]


def words(*sentences, level="word"):
    """The text is read as these sentences of tokens."""

    def check(path):
        vocab = build(count(lines(path), level))
        text = encode([path], vocab)
        starts = [0, *text.ends.tolist()]
        found = [[vocab.words[i] for i in text.ids[a : b - 1]] for a, b in zip(starts, starts[1:])]
        assert found == list(sentences)

    return check


def refused(message, hint):
    """It is refused with this message, in which {path} stands for the file."""

    def check(path):
        with pytest.raises(DataError) as error:
            encode([path], build(count(["a"])))
        assert error.value.message == message.format(path=path)
        assert error.value.hint == hint

    return check


def blank(number, sentences):
    def check(path):
        text = encode([path], build(count(["a b"])))
        assert (text.blank, text.sentences) == (number, sentences)

    return check


def ids(*expected):
    """Under a vocabulary of one word, `a`."""

    def check(path):
        assert encode([path], build(count(["a"]))).ids.tolist() == list(expected)

    return check


def long_line(path):
    (line,) = lines(path)
    assert len(line) == 10_000_000
    assert encode([path], build(count(["a"]))).words == 5_000_000


def long_sentence(path):
    """In windows of bounded size, in training as in evaluation."""
    vocab = build(count(["a b"]))
    text = encode([path], vocab)
    assert max(batch.inputs.size for batch in Sentences(text, 20).batches()) <= 2048
    network = Network(LanguageModel(embedding=2), vocab, rng=np.random.default_rng(1))
    assert evaluate.loss(network, text, stream=False).tokens == 100_001


def one_word(path):
    code = "import sys; from rnnlm.cli import main; main(sys.argv[1:])"
    (path.parent / "c.yaml").write_text("data: {train: text}\nmodel: {cell: {size: 3}}\ntraining: {epochs: 1}\n")
    found = subprocess.run(
        [sys.executable, "-c", code, "train", "c.yaml", "-q"], capture_output=True, text=True, cwd=path.parent
    )
    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")


def bomb(path):
    """A quarter of a gigabyte without line ends in 280 kB, and the same with them, in little memory."""
    code = """
import resource, sys
from rnnlm.text.lines import lines
from rnnlm.errors import DataError
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    print(sum(1 for line in lines(sys.argv[1])))
except DataError as error:
    print(error.message, error.hint, sep='\\n')
assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 250_000
"""
    for line, expected in (
        (b"\0" * 1023 + b"\0", f"{path}:1: a line of more than 64 MB, which no sentence has\n{FOLD}\n"),
        (b"\0" * 1023 + b"\n", f"{1 << 18}\n"),
    ):
        path.write_bytes(256 * gzip.compress(1024 * line, mtime=0))
        found = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True)
        assert (found.stdout, found.stderr) == (expected, "")


def fifo(path):
    path.unlink()
    os.mkfifo(path)
    refused("{path}: is a pipe or a device, not a file", "pipe the text in, and name it '-'")(path)
    refused("/dev/null: is a pipe or a device, not a file", "pipe the text in, and name it '-'")(Path("/dev/null"))


def directory(path):
    path.unlink()
    path.mkdir()
    refused("{path}: is a directory", "name the text files in it")(path)


def missing(path):
    path.unlink()
    refused("{path}: no such file (tried {path})", "a relative path starts at the working directory")(path)


WHOLE = gzip.compress(b"the cat\n" * 1000, mtime=0)
CASES = {
    "empty line": (b"\na\n \n\nb\n", blank(3, 2)),
    "CRLF": (b"a b\r\n\r\nc\r\n", words(["a", "b"], ["c"])),
    "lone CR": (b"a\rb\n", words(["a", "b"])),
    "no newline at the end": (b"a\nb", words(["a"], ["b"])),
    "byte order mark": ("\ufeffa\n\ufeffa\n".encode(), words(["a"], ["\ufeffa"])),
    "not UTF-8": (b"a\nb\xe9\n", refused("{path}:2: byte 3: not UTF-8 (0xe9)", UTF8)),
    "UTF-16": ("a\n".encode("utf-16"), refused("{path}:1: byte 0: not UTF-8 (0xff)", UTF8)),
    "NUL byte": (b"a\0b \0\n", words(["a\0b", "\0"])),
    "U+2028, U+0085, U+3000": ("a\u2028b\x85c\u3000d\n".encode(), words(["a", "b", "c", "d"])),
    "combining marks": ("\u00e9 e\u0301\n".encode(), words(["\u00e9", "e\u0301"])),
    "emoji": ("👩\u200d🚀\n".encode(), words(["👩", "\u200d", "🚀"], level="char")),
    "right-to-left text": ("שלום \u202eעולם\n".encode(), words(["שלום", "\u202eעולם"])),
    "literal `<unk>`": (b"a <unk>\n", ids(3, UNK, EOS)),
    "literal `<s>`, `</s>`": (b"<s> a </s>\n", ids(OOV, 3, OOV, EOS)),
    "a word that the vocabulary lacks (OOV)": (b"a b\n", ids(3, OOV, EOS)),
    "a word of a megabyte": (b"a " + (1 << 20) * b"x" + b"\n", words(["a", (1 << 20) * "x"])),
    "a line of 10 MB": (5_000_000 * b"a ", long_line),
    "a line of more than 64 MB": (
        b"a\n" + (lines_module.MAX_LINE + 1) * b"x",
        refused("{path}:2: a line of more than 64 MB, which no sentence has", FOLD),
    ),
    "a sentence of 100,000 words": (50_000 * b"a b ", long_sentence),
    "5 million empty lines": (b"a" + 5_000_000 * b"\n" + b"b", blank(4_999_999, 2)),
    "a text of one word": (b"a", one_word),
    "nothing but empty lines": (
        b"\n \n",
        refused("{path}: no sentences (3 bytes, 2 empty lines)", "a sentence is a line with at least one word"),
    ),
    "gzip": (gzip.compress(b"a b\n"), words(["a", "b"])),
    "gzip, cut off": (
        WHOLE[:-20],
        refused(
            "{path}: broken gzip file: Compressed file ended before the end-of-stream marker was reached",
            "copy or download it again",
        ),
    ),
    "gzip of gigabytes (a bomb)": (b"", bomb),
    "a directory": (b"", directory),
    "a FIFO or a device": (b"", fifo),
    "missing": (b"", missing),
}  # fmt: skip


def test_every_row_is_tested():
    assert list(CASES) == ROWS


@pytest.mark.parametrize("row", CASES)
def test_text(tmp_path, monkeypatch, row):
    monkeypatch.setenv("RNNLM_CACHE", str(tmp_path / "cache"))
    content, check = CASES[row]
    path = tmp_path / "text"
    path.write_bytes(content)
    check(path)

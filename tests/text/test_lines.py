"""Lines of a text: how they are cut, what is refused; and a test for each row of the documents' table of odd texts."""

import bz2
import gzip
import lzma
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rnnlm.errors import DataError, TextWarning
from rnnlm.files import keep
from rnnlm.lm import perplexity as evaluate
from rnnlm.nn.models import LanguageModel
from rnnlm.nn.network import Network
from rnnlm.text.corpus import encode
from rnnlm.text.lines import MAX_LINE, lines
from rnnlm.text.vocab import EOS, OOV, SPECIALS, UNK, Vocabulary, build, count
from rnnlm.text.windows import Sentences

ROOT = Path(__file__).parents[2]
VOCAB = Vocabulary([*SPECIALS, "the"], [0] * 4)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", []),
        (b"\n", [""]),
        (b"a b\nc\n", ["a b", "c"]),
        (b"a\n\nb", ["a", "", "b"]),
        (b"a\r\n\r\nb\r", ["a", "", "b"]),
        (b"a\rb\r\r\n", ["a\rb\r"]),
        (b"\xef\xbb\xbfa\n\xef\xbb\xbfb\n", ["a", "\ufeffb"]),
        (b"\xef\xbb\xbf", []),
        (b"a\0b\x0c\x1c\n\0", ["a\0b\x0c\x1c", "\0"]),
        ("a\u2028b\x85c\u2029\n春眠\n".encode(), ["a\u2028b\x85c\u2029", "春眠"]),
    ],
)
@pytest.mark.parametrize("block", [2, 3, 1 << 20])
def test_lines(write, stdin, blocks_of, content, expected, block):
    blocks_of(block)
    assert list(lines(write(content))) == expected
    assert list(lines(write(gzip.compress(content), "text.txt.gz"))) == expected
    stdin(content)
    assert list(lines("-")) == expected


def test_a_gzipped_file_of_several_members_under_any_name(write):
    assert list(lines(write(gzip.compress(b"a\nb") + gzip.compress(b"c\n")))) == ["a", "bc"]


def test_lines_come_as_they_are_piped_in(monkeypatch):
    reader, writer = os.pipe()
    with open(reader) as stream, open(writer, "wb", buffering=0) as pipe:
        monkeypatch.setattr(sys, "stdin", stream)
        answers = lines("-")
        pipe.write(b"a\n")
        assert next(answers) == "a"
        pipe.write(b"b\n")
        assert next(answers) == "b"


def test_the_bytes_behind_the_lines_are_shown(write):
    shown = []
    list(lines(write(gzip.compress(b"\xef\xbb\xbfa\r\nb")), seen=shown.append))
    assert b"".join(shown) == b"\xef\xbb\xbfa\r\nb"


@pytest.mark.parametrize("block", [2, 1 << 20])
@pytest.mark.parametrize(
    ("content", "line", "byte", "value"),
    [
        (b"\xff", 1, 0, "0xff"),
        (b"a\nb\xe9 c\nd\n", 2, 3, "0xe9"),
        (b"\xef\xbb\xbfa\n\n\n\xe6\x98", 4, 7, "0xe6"),
        (b"a\n\xed\xa0\x80\n", 2, 2, "0xed"),  # half a surrogate pair
    ],
)
def test_text_that_is_not_utf_8(write, blocks_of, content, line, byte, value, block):
    blocks_of(block)
    path = write(content)
    for read in (lambda: list(lines(path)), lambda: encode([path], VOCAB)):
        with pytest.raises(DataError) as caught:
            read()
        assert caught.value.message.startswith(f"{path}:{line}: byte {byte}: not UTF-8")
        assert value in caught.value.message
        assert "iconv" in caught.value.hint


def test_a_missing_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for read in (lambda: list(lines("none.txt")), lambda: encode(["none.txt"], VOCAB)):
        with pytest.raises(DataError) as caught:
            read()
        assert caught.value.message.startswith("none.txt: no such file")
        assert f"{tmp_path}/none.txt" in caught.value.message


def test_a_missing_corpus_that_can_be_fetched(tmp_path):
    with pytest.raises(DataError) as caught:
        list(lines(tmp_path / "ptb" / "ptb.train.txt"))
    assert f"`rnnlm data fetch ptb --dir {tmp_path}`" in caught.value.hint


def test_paths_that_are_no_files(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    for path, word in {"": "is a directory", "loop": "symbolic links", "file/text": "Not a directory"}.items():
        with pytest.raises(DataError) as caught:
            encode([tmp_path / path], VOCAB)
        assert caught.value.message.startswith(f"{tmp_path / path}: ")
        assert word in caught.value.message


def test_broken_gzip_files(write):
    whole = gzip.compress(b"the cat\n" * 1000)
    for content in (whole[:-20], whole[:10] + b"\xff" + whole[11:], whole + b"text"):
        path = write(content)
        with pytest.raises(DataError) as caught:
            list(lines(path))
        assert caught.value.message.startswith(f"{path}: broken gzip file")


def test_standard_input_that_is_closed(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(DataError) as caught:
        list(lines("-"))
    assert caught.value.message.startswith("<stdin>: ")
    assert "closed" in caught.value.message


# --- odd texts -----------------------------------------------------------------------------------------------------

DOCUMENTS = [path for path in (ROOT / "docs" / "text.md", ROOT / "README.md") if path.exists()]
TABLE = DOCUMENTS[0].read_text(encoding="utf-8").partition("| in the text |")[2].partition("\n\n")[0]
ROWS = re.findall(r"^\| (.+?) \|", TABLE.partition("|---|---|\n")[2], re.MULTILINE)


def words(*sentences, level="word"):
    """The text is read as these sentences of tokens."""

    def check(path):
        vocab = build(count(lines(path), level))
        assert [[vocab.words[i] for i in ids[:-1]] for ids in encode([path], vocab)] == list(sentences)

    return check


def refused(place, *words):
    """The text is refused: the message begins with `place`, {path} being the file; it or the hint has the words."""

    def check(path):
        with pytest.raises(DataError) as error:
            encode([path], build(count(["a"])))
        assert error.value.message.startswith(place.format(path=path))
        assert all(word in f"{error.value.message} {error.value.hint}" for word in words)
        assert error.value.hint

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
from rnnlm.text.lines import MAX_LINE, lines
from rnnlm.errors import DataError
from rnnlm.files import keep
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    print(sum(1 for line in lines(sys.argv[1])))
except DataError as error:
    print(error.message, error.hint, sep='\\n')
assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 250_000
"""
    for line, expected in (
        (b"\0" * 1023 + b"\0", f"{path}:1: a line of more than 64 MB"),
        (b"\0" * 1023 + b"\n", f"{1 << 18}\n"),
    ):
        path.write_bytes(256 * gzip.compress(1024 * line, mtime=0))
        found = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True)
        assert found.stdout.startswith(expected)
        assert found.stderr == ""


def pipe(path):
    """Read once as it comes, or kept for the second time."""
    path.unlink()
    os.mkfifo(path)
    for kept in (False, True):
        process = subprocess.Popen(
            [sys.executable, "-c", "import sys; open(sys.argv[1], 'wb').write(b'a b')", str(path)]
        )
        if kept:
            keep(path)
            words(["a", "b"])(path)
        else:
            assert list(lines(path)) == ["a b"]
        assert process.wait() == 0
    refused("/dev/null: no sentences")(Path("/dev/null"))


def macintosh(path):
    with pytest.warns(TextWarning, match=f"^{path}: no line feed but carriage returns"):
        words(["a", "b"], ["c"])(path)


COMPRESSORS = {"gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress}


def compressed(path):
    for compress in COMPRESSORS.values():
        path.write_bytes(compress(b"a b\n"))
        words(["a", "b"])(path)


def cut_off(path):
    for kind, compress in COMPRESSORS.items():
        path.write_bytes(compress(b"the cat\n" * 1000)[:-20])
        refused("{path}: ", kind)(path)


def directory(path):
    path.unlink()
    path.mkdir()
    refused("{path}: ", "directory")(path)


def missing(path):
    path.unlink()
    refused("{path}: no such file", f"tried {path}")(path)


CASES = {
    "empty line": (b"\na\n \n\nb\n", blank(3, 2)),
    "CRLF": (b"a b\r\n\r\nc\r\n", words(["a", "b"], ["c"])),
    "lone CR": (b"a\rb\n", words(["a", "b"])),
    "CR but no LF in the first megabyte": (b"a b\rc\r", macintosh),
    "no newline at the end": (b"a\nb", words(["a"], ["b"])),
    "byte order mark": ("\ufeffa\n\ufeffa\n".encode(), words(["a"], ["\ufeffa"])),
    "not UTF-8": (b"a\nb\xe9\n", refused("{path}:2: byte 3: ", "UTF-8", "0xe9", "iconv")),
    "UTF-16, UTF-32": ("a 猫\n".encode("utf-16"), words(["a", "猫"])),
    "UTF-16 without a byte order mark": (
        "a b\n".encode("utf-16-be"),
        refused("{path}: ", "UTF-16", "iconv -f UTF-16BE -t UTF-8"),
    ),
    "NUL byte": (b"a\0b \0\n", words(["a\0b", "\0"])),
    "U+2028, U+0085, U+3000": ("a\u2028b\x85c\u3000d\n".encode(), words(["a\u2028b\x85c\u3000d"])),
    "combining marks": ("\u00e9 e\u0301\n".encode(), words(["\u00e9", "e\u0301"])),
    "emoji": ("👩\u200d🚀\n".encode(), words(["👩", "\u200d", "🚀"], level="char")),
    "right-to-left text": ("שלום \u202eעולם\n".encode(), words(["שלום", "\u202eעולם"])),
    "literal `<unk>`": (b"a <unk>\n", ids(3, UNK, EOS)),
    "`<s>` that begins a line, `</s>` that ends it": (b"<s> a </s>\n</s>\n", ids(3, EOS)),
    "other literal `<s>`, `</s>`": (b"a <s> </s> a\n", ids(3, OOV, OOV, 3, EOS)),
    "a word that the vocabulary lacks (OOV)": (b"a b\n", ids(3, OOV, EOS)),
    "a word of a megabyte": (b"a " + (1 << 20) * b"x" + b"\n", words(["a", (1 << 20) * "x"])),
    "a line of 10 MB": (5_000_000 * b"a ", long_line),
    "a line of more than 64 MB": (b"a\n" + (MAX_LINE + 1) * b"x", refused("{path}:2: ", "64 MB", "fold")),
    "a sentence of 100,000 words": (50_000 * b"a b ", long_sentence),
    "a million empty lines": (b"a" + 1_000_000 * b"\n" + b"b", blank(999_999, 2)),
    "a text of one word": (b"a", one_word),
    "nothing but empty lines": (b"\n \n", refused("{path}: no sentences", "3 bytes", "2 empty lines")),
    "gzip, bzip2, xz": (gzip.compress(b"a b\n"), compressed),
    "zstd": (b"\x28\xb5\x2f\xfd\x04", refused("{path}: ", "zstd")),
    "gzip, bzip2 or xz, cut off": (b"", cut_off),
    "gzip of gigabytes (a bomb)": (b"", bomb),
    "an archive, a PDF or Office document, a picture": (b"%PDF-1.7\n", refused("{path}: a PDF", "pdftotext")),
    "a directory": (b"", directory),
    "a FIFO or a device": (b"", pipe),
    "missing": (b"", missing),
}  # fmt: skip


def test_every_row_is_tested():
    assert list(CASES) == ROWS


@pytest.mark.parametrize("row", CASES)
def test_text(tmp_path, row):
    content, check = CASES[row]
    path = tmp_path / "text"
    path.write_bytes(content)
    check(path)

"""Where texts come from: compressed and in UTF-16, from files, pipes and standard input; carriage returns alone."""

import bz2
import gzip
import hashlib
import lzma
import os
import random
import subprocess
import sys
import threading

import pytest

from rnnlm import files
from rnnlm.errors import DataError, TextWarning
from rnnlm.text.corpus import digest_of, encode
from rnnlm.text.lines import COMPRESSED, lines
from rnnlm.text.vocab import build, count

TEXT = "the cat 猫\nsees\n"
COMPRESS = {"gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress}
ENCODINGS = {
    "utf-16": b"\xff\xfe",
    "utf-16-be": b"\xfe\xff",
    "utf-32-le": b"\xff\xfe\0\0",
    "utf-32-be": b"\0\0\xfe\xff",
}


def marked(encoding, text=TEXT):
    data = text.encode(encoding)
    return data if data.startswith(ENCODINGS[encoding]) else ENCODINGS[encoding] + data


@pytest.mark.parametrize("block", [2, 5, 1 << 17])
@pytest.mark.parametrize("kind", COMPRESS)
@pytest.mark.parametrize("encoding", [None, *ENCODINGS])
def test_compressed_texts_in_any_marked_encoding(write, stdin, blocks_of, kind, encoding, block):
    blocks_of(block)
    plain = TEXT.encode() if encoding is None else marked(encoding)
    path = write(COMPRESS[kind](plain), "any name")
    assert list(lines(path)) == TEXT.split("\n")[:-1]
    stdin(path.read_bytes())
    assert list(lines("-")) == TEXT.split("\n")[:-1]


def test_the_sha256_is_that_of_the_text_itself(write):
    wanted = hashlib.sha256(TEXT.encode()).hexdigest()
    for number, data in enumerate([TEXT.encode(), bz2.compress(TEXT.encode()), marked("utf-16")]):
        path = write(data, f"{number}.txt")
        assert digest_of([path]) == encode([path], build(count(["the"]))).sha256 == wanted


@pytest.mark.parametrize("kind", COMPRESS)
def test_broken_compressed_texts(write, kind):
    whole = COMPRESS[kind](random.Random(1).randbytes(10_000).hex().encode())
    for content in (whole[:-20], whole[: len(whole) // 2] + b"\xff" * 99 + whole[len(whole) // 2 + 99 :]):
        path = write(content)
        with pytest.raises(DataError) as caught:
            list(lines(path))
        assert caught.value.message.startswith(f"{path}: broken {kind} file")


def test_zstd_is_read_where_python_has_it_and_otherwise_named(write):
    empty = b"\x28\xb5\x2f\xfd\x24\x02\x11\0\0a\n\xe3\x4a\xad\x95"  # "a\n"
    path = write(empty)
    if any(name == "zstd" for _, name, _ in COMPRESSED):
        assert list(lines(path)) == ["a"]
        return
    with pytest.raises(DataError) as caught:
        list(lines(path))
    assert "zstd" in caught.value.message
    assert f"zstdcat {path} |" in caught.value.hint


def test_utf_16_that_is_cut_off(write):
    path = write(marked("utf-16")[:-1])
    with pytest.raises(DataError) as caught:
        list(lines(path))
    assert "UTF-16" in caught.value.message


@pytest.mark.parametrize("convert", [str.encode, lambda text: marked("utf-16", text)])
def test_carriage_returns_alone_end_lines(write, convert):
    for content, expected in (("a b\rc\r\rd\r", ["a b", "c", "", "d"]), ("a\rb", ["a", "b"])):
        path = write(convert(content))
        with pytest.warns(TextWarning, match="carriage returns"):
            assert list(lines(path)) == expected


@pytest.mark.parametrize("content", ["a\rb\n", "a\r", "a\r\nb\r\n", "a", ""])
def test_other_texts_with_carriage_returns(write, content, recwarn):
    found = list(lines(write(content)))
    assert found == [line.removesuffix("\r") for line in content.removesuffix("\n").split("\n") if content]
    assert not recwarn


def test_carriage_returns_in_a_long_text(write, blocks_of):
    blocks_of(1000)
    text = "\r".join(f"line {i}" for i in range(5000))
    with pytest.warns(TextWarning):
        assert list(lines(write(text))) == text.split("\r")


def piped(data):
    """A descriptor from which data can be read, as a shell's <(...) makes one."""
    read, write = os.pipe()

    def send():
        with open(write, "wb") as file:
            file.write(data)

    threading.Thread(target=send, daemon=True).start()
    return read


def test_a_pipe_is_read_once_as_it_comes_and_again_if_it_is_kept():
    read = piped(b"a\n" * 100_000)
    try:
        path = f"/dev/fd/{read}"
        files.keep(path)
        assert list(lines(path)) == list(lines(path)) == ["a"] * 100_000
    finally:
        os.close(read)


def test_standard_input_that_is_kept(stdin):
    stdin(b"a\nb\n")
    files.keep("-")
    assert list(lines("-")) == list(lines("-")) == ["a", "b"]
    stdin(b"c\n")
    assert list(lines("-")) == ["c"]


def test_more_than_can_be_kept(stdin, monkeypatch):
    monkeypatch.setattr(files, "KEPT", 10)
    monkeypatch.setattr(files, "PIECE", 4)
    stdin(b"a" * 11)
    with pytest.raises(DataError) as caught:
        files.keep("-")
    assert "<stdin>: more than" in caught.value.message


def test_outputs_that_are_pipes_devices_and_descriptors(tmp_path):
    files.write_whole("/dev/null", b"x")
    read, write = os.pipe()
    files.write_whole(f"/dev/fd/{write}", lambda file: (file.write(b"abc"), file.seek(0), file.write(b"A")))
    assert os.read(read, 10) == b"Abc"
    os.close(read)
    with pytest.raises(BrokenPipeError):
        files.write_whole(f"/dev/fd/{write}", b"x")
    os.close(write)
    if os.path.exists("/dev/full"):
        with pytest.raises(DataError, match="No space left"):
            files.write_whole("/dev/full", b"x")


def test_standard_output_by_name_goes_on_where_it_is(tmp_path):
    code = "from rnnlm.files import write_whole; print('a'); write_whole('/dev/stdout', b'b\\n'); print('c')"
    with open(tmp_path / "out", "w") as out:
        subprocess.run([sys.executable, "-c", code], stdout=out, check=True)
    assert (tmp_path / "out").read_text() == "a\nb\nc\n"
    assert os.path.islink("/dev/stdout") or not os.path.exists("/dev/stdout")

"""Tasks that are made on the spot: what they say is true, nothing tested was trained on, and it never changes."""

import hashlib
import io
import re

import numpy as np
import pytest

from rnnlm.corpora import catalogue
from rnnlm.corpora.synthetic import PARTS, addition, in_words, numbers
from rnnlm.errors import UsageError


@pytest.mark.parametrize("digits", [1, 2, 3])
def test_sums_are_right_and_unseen_whichever_way_round(digits):
    parts = addition(digits)
    assert list(parts) == list(PARTS)
    pairs = {}
    for part, lines in parts.items():
        found = [re.fullmatch(r"(\d+)\+(\d+)\t(\d+)", line).groups() for line in lines]
        assert all(int(a) + int(b) == int(c) and max(len(a), len(b)) <= digits for a, b, c in found)
        assert len(set(lines)) == len(lines)
        pairs[part] = {frozenset((a, b)) for a, b, _ in found}
        assert len(lines) == sum(len(pair) for pair in pairs[part])  # both ways round
    assert not pairs["train"] & (pairs["valid"] | pairs["test"])
    assert not pairs["valid"] & pairs["test"]
    total = 10**digits * (10**digits + 1) // 2
    sizes = min(total // 20, 1000), min(total // 10, 5000)
    assert tuple(len(pairs[part]) for part in ("valid", "test")) == sizes
    assert len(pairs["train"]) == min(total - sum(sizes), 100_000)


def test_sums_are_the_same_every_time():
    text = "\n".join(addition(2)["test"])
    assert text == "\n".join(addition(2)["test"])
    assert hashlib.sha256(text.encode()).hexdigest()[:12] == "54436c798e28"


@pytest.mark.parametrize(
    ("n", "words"),
    [(0, "zero"), (13, "thirteen"), (20, "twenty"), (42, "forty two"), (100, "one hundred"),
     (101, "one hundred and one"), (999, "nine hundred and ninety nine"), (1000, "one thousand"),
     (1001, "one thousand and one"), (12_345, "twelve thousand three hundred and forty five"),
     (640_021, "six hundred and forty thousand and twenty one")],
)  # fmt: skip
def test_numbers_in_words(n, words):
    assert in_words(n) == words


def test_vectors_say_what_the_words_say():
    parts = numbers()
    seen = set()
    for part, size in zip(PARTS, (20_000, 1_000, 1_000)):
        lines, matrix = parts[part], np.load(io.BytesIO(parts[f"{part}.npy"]), allow_pickle=False)
        assert (len(lines), matrix.shape, matrix.dtype) == (size, (size, 60), np.uint8)
        assert (matrix.reshape(size, 6, 10).sum(axis=2) == 1).all()
        found = matrix.reshape(size, 6, 10).argmax(axis=2) @ 10 ** np.arange(5, -1, -1)
        assert [in_words(int(n)) for n in found] == lines
        assert seen.isdisjoint(lines)
        seen |= set(lines)


def test_sums_of_any_number_of_digits_are_fetched(rnnlm):
    status, out, _ = rnnlm("data", "fetch", "addition", "--digits", "1")
    sizes = {part: len(addition(1)[part]) for part in PARTS}
    lines = [f"data/addition-1/{part}.txt: {n} sentences, {2 * n} words\n" for part, n in sizes.items()]
    assert (status, out) == (0, "".join(lines))
    lines = [f"data/addition-1/{part}.txt: verified\n" for part in PARTS]
    assert rnnlm("data", "check", "addition-1")[:2] == (0, "".join(lines))
    assert catalogue.find("addition-5").what == "sums of 5 digits"
    with pytest.raises(UsageError):
        catalogue.find("addition-10")


def test_files_beside_the_texts_are_checked_too(tmp_path):
    written, _ = catalogue.fetch(catalogue.find("numbers"), tmp_path)
    home = tmp_path / "numbers"
    assert sorted(path.name for path in written) == sorted(
        [*(f"{part}.txt" for part in PARTS), *(f"{part}.npy" for part in PARTS)]
    )
    assert catalogue.state(catalogue.find("numbers"), tmp_path) == "verified"
    (home / "test.npy").write_bytes(b"")
    assert catalogue.state(catalogue.find("numbers"), tmp_path) == "damaged"

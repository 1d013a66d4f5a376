"""Corpora that are made on the spot: sums of numbers, and numbers in words. Equal in every run."""

from __future__ import annotations

import io
import math
import random

from rnnlm.corpora import PARTS

SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen - - twenty thirty forty fifty sixty seventy eighty ninety"
)
ONES, TENS = SMALL.split(" ")[:20], SMALL.split(" ")[20:]
LARGEST = 6  # digits of a number in words


def addition(digits: int) -> dict[str, list[str]]:
    """Lines `a+b<TAB>sum` for numbers of up to `digits` digits.

    A pair and its mirror, a+b and b+a, are in the same part, so that a test pair is new either way round. Of the pairs,
    10 % are for test (5,000 at most), 5 % for validation (1,000 at most), and the others, up to 100,000, for training.
    """
    rng, n = random.Random(digits), 10**digits
    pairs = n * (n + 1) // 2
    sizes = {"test": min(pairs // 10, 5_000), "valid": min(pairs // 20, 1_000)}
    sizes["train"] = min(pairs - sum(sizes.values()), 100_000)
    drawn = rng.sample(range(pairs), sum(sizes.values()))
    parts: dict[str, list[str]] = {}
    for part in PARTS:
        lines = set()
        for i in drawn[: sizes[part]]:
            b = (math.isqrt(8 * i + 1) - 1) // 2  # the i-th of (0, 0), (0, 1), (1, 1), (0, 2), ...
            a = i - b * (b + 1) // 2
            lines |= {f"{a}+{b}\t{a + b}", f"{b}+{a}\t{a + b}"}
        del drawn[: sizes[part]]
        mixed = sorted(lines)
        rng.shuffle(mixed)
        parts[part] = mixed
    return parts


def numbers() -> dict[str, list[str] | bytes]:
    """Numbers of up to six digits in words, a line each, and beside each text a matrix of vectors (.npy).

    A vector is the six digits, each one-hot: 60 numbers, uint8. No number is in two parts.
    """
    import numpy as np

    rng = random.Random(1)
    drawn = rng.sample(range(10**LARGEST), 22_000)
    parts: dict[str, list[str] | bytes] = {}
    for part, size in zip(PARTS, (20_000, 1_000, 1_000)):
        mine, drawn = drawn[:size], drawn[size:]
        digits = np.array([[int(digit) for digit in f"{n:0{LARGEST}d}"] for n in mine])
        file = io.BytesIO()
        np.save(file, np.eye(10, dtype=np.uint8)[digits].reshape(size, 10 * LARGEST))
        parts[part], parts[f"{part}.npy"] = [in_words(n) for n in mine], file.getvalue()
    return parts


def in_words(n: int) -> str:
    """A number below a million in English."""
    if n < 20:
        return ONES[n]
    if n < 100:
        return TENS[n // 10] + (f" {ONES[n % 10]}" if n % 10 else "")
    size, name = (100, "hundred") if n < 1000 else (1000, "thousand")
    rest = f" and {in_words(n % size)}" if 0 < n % size < 100 else f" {in_words(n % size)}" if n % size else ""
    return f"{in_words(n // size)} {name}{rest}"

"""Inputs: what is valid, damaged in ways that parsers mind."""

from __future__ import annotations

import copy
import json
import random

NUMBERS = [b"0", b"-1", b"1e999", b"nan", b"9" * 25, b"4294967296", b"-9223372036854775809", b"1_0", b"0x10", b".5"]
BYTES = [
    b"\0",
    b"\xff",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"\r",
    b"\n",
    b"\t",
    "\u2028é\u0301\u202e😀".encode(),
    b"\x1b[",
]
YAML = [
    b": ",
    b"- ",
    b"&a ",
    b"*a",
    b"{",
    b"}",
    b"[",
    b"]",
    b"<<: ",
    b"!!python/object:os.system ",
    b"'",
    b'"',
    b"|\n",
    b"? ",
]


def mutated(rng: random.Random, bases: list[bytes], tokens: list[bytes] = BYTES) -> bytes:
    """One of `bases` after a few changes; now and then noise."""
    if rng.random() < 0.05:
        return rng.randbytes(rng.randrange(200))
    data = bytearray(rng.choice(bases))
    for _ in range(rng.choice([1, 1, 1, 1, 2, 8])):
        i = rng.randrange(len(data) + 1)
        j = min(len(data), i + rng.choice([1, 1, 1, 2, 4, 16, 100]))
        change = rng.choice([0, 0, 0, 1, 2, 2, 3, 3, 4, 5, 6, 6])
        if change == 0 and i < len(data):
            data[i] ^= 1 << rng.randrange(8)
        elif change == 1:
            data[i:j] = rng.randbytes(j - i)
        elif change == 2:
            del data[i:j]
        elif change == 3:
            data[i:i] = data[i:j] * rng.choice([1, 2, 50])
        elif change == 4:
            data[i:j] = rng.choice(NUMBERS)
        elif change == 5:
            other = rng.choice(bases)
            data[i:] = other[rng.randrange(len(other) + 1) :]
        else:
            data[i:i] = rng.choice(tokens) * rng.choice([1, 1, 1, 300])
    return bytes(data)


ODD = [
    None,
    True,
    -1,
    0,
    1e308,
    10**9,
    10**30,
    "",
    "x",
    [],
    {},
    [1],
    [[]],
    {"kind": "x"},
    "\x1b[2J",
    "../../etc/passwd",
]


def mutated_json(rng: random.Random, value: object) -> object:
    """A JSON value with something in it replaced, left out or added."""
    value = json.loads(json.dumps(value))
    for _ in range(rng.choice([1, 1, 2, 4])):
        at, place = value, None
        while isinstance(at, (dict, list)) and at and (place is None or rng.random() < 0.75):
            inside, place = at, rng.choice(list(at)) if isinstance(at, dict) else rng.randrange(len(at))
            at = inside[place]
        odd = copy.deepcopy(rng.choice(ODD))  # of its own: the next change may be made inside it
        if place is None:
            return odd
        change = rng.randrange(4)
        if change == 0:
            del inside[place]
        elif change == 1 and isinstance(inside, dict):
            inside[rng.choice(["kind", "x", "size", "cells", "tied", ""])] = odd
        elif change == 2 and isinstance(at, (int, float)) and not isinstance(at, bool):
            inside[place] = rng.choice([-at, at * 2, at + 1, 0.5, 10**400])
        else:
            inside[place] = odd
    return value

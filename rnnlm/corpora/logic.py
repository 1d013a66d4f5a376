"""Formulas of propositional logic as trees with the truth value of every part, deeper in test than in training."""

from __future__ import annotations

import random
from typing import Any

VALUES = {"true": True, "false": False, "p": True, "q": False, "r": True, "s": False, "u": False, "v": True}
OPERATIONS = ("not", "and", "or")
DEPTH = 4  # of the deepest formulas in training; those of test are twice as deep
SIZES = {"train": (20_000, (1, DEPTH)), "valid": (1_000, (1, DEPTH)), "test": (1_000, (2 * DEPTH, 2 * DEPTH))}

Formula = Any  # a word; ("not", x); (x, "and", y) or (x, "or", y), x and y formulas


def logic() -> dict[str, list[str] | bytes]:
    """Formulas of `true`, `false` and six variables of fixed value with `not`, `and`, `or`; half of them are true.

    train, valid, test: a tree in a line, `(1 (1 p) and (1 not (0 q)))`, 1 where a part is true and 0 where it is false.
    sequence-train.txt and so on: the same formulas as labelled text, `1<TAB>( p and ( not q ) )`. No formula is in two
    parts.
    """
    rng, seen = random.Random(1), set()
    parts: dict[str, list[str] | bytes] = {}
    for part, (number, depths) in SIZES.items():
        formulas: list[Formula] = []
        while len(formulas) < number:
            found = formula(rng, rng.randint(*depths))
            if found not in seen and value(found) == bool(len(formulas) % 2):
                seen.add(found)
                formulas.append(found)
        rng.shuffle(formulas)
        parts[part] = list(map(tree, formulas))
        sequences = (f"{value(one):d}\t{sequence(one)}\n" for one in formulas)
        parts[f"sequence-{part}.txt"] = "".join(sequences).encode()
    return parts


def formula(rng: random.Random, depth: int) -> Formula:
    """A random formula whose longest branch has this depth."""
    if depth == 0:
        return rng.choice(list(VALUES))
    if rng.random() < 0.2:
        return ("not", formula(rng, depth - 1))
    sides = [formula(rng, depth - 1), formula(rng, rng.randrange(depth))]
    rng.shuffle(sides)
    return (sides[0], rng.choice(["and", "or"]), sides[1])


def value(one: Formula) -> bool:
    """The truth value of a formula."""
    if isinstance(one, str):
        return VALUES[one]
    if len(one) == 2:
        return not value(one[1])
    left, operation, right = one
    return value(left) and value(right) if operation == "and" else value(left) or value(right)


def tree(one: Formula) -> str:
    """A formula as a bracketed tree with its truth value, and that of each part, as label."""
    parts = [one] if isinstance(one, str) else [part if part in OPERATIONS else tree(part) for part in one]
    return f"({value(one):d} {' '.join(parts)})"


def sequence(one: Formula) -> str:
    """A formula as words and brackets, without truth values."""
    return one if isinstance(one, str) else f"( {' '.join(map(sequence, one))} )"

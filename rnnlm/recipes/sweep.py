"""Sweeps: the settings of many trainings, from lists of values, ranges and seeds, and a name for each."""

from __future__ import annotations

import functools
import hashlib
import itertools
import math
import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from rnnlm import config
from rnnlm.config.yaml12 import NOWHERE, compose, number
from rnnlm.errors import UsageError
from rnnlm.files import one_line

SEED = "seed"
MOST = 10_000  # trainings of a sweep
FEWER = "draw some of them with --random N"
LONGEST = 120  # bytes of a name
RANGE = re.compile(r"(\S+?)\.\.(\S+?)( +log)?")
INTEGER = re.compile(r"[-+]?[0-9]+")

Setting = dict[str, str]  # dotted path of an option -> its value in YAML


@dataclass(frozen=True)
class Range:
    """Numbers from low to high, both included.

    ends: low and high as they were written. log: uniform by their logarithm. whole: integers alone.
    """

    ends: tuple[str, str]
    low: float
    high: float
    log: bool
    whole: bool

    def __str__(self) -> str:
        return "..".join(self.ends) + " log" * self.log

    def draw(self, u: float) -> str:
        """The number at the share u of the range, 0 <= u < 1, rounded to a thousandth of the range or less."""
        low, high = self.low, self.high
        if self.whole and not self.log:
            return str(int(low) + int(u * (high - low + 1)))
        x = low * (high / low) ** u if self.log else low + u * (high - low)
        if self.whole:
            return str(round(x))
        scale = min(x, high - low) if self.log else high - low
        return repr(min(max(round(x, 3 - math.floor(math.log10(scale))), low), high))

    def all(self, path: str) -> list[str]:
        """All numbers, for the option at a path. Raises UsageError where they have to be drawn."""
        if not self.whole or self.log:
            raise UsageError(f"{path}={self}: a range, from which --random N draws", "or list its values: 1e-3,2e-3")
        if self.high - self.low >= MOST:
            raise UsageError(f"{path}={self}: more than {MOST:,} values", FEWER)
        return [str(n) for n in range(int(self.low), int(self.high) + 1)]


class Axis(NamedTuple):
    """An option, and the values that it takes in a sweep."""

    path: str
    items: list[str | Range]

    @property
    def varies(self) -> bool:
        """Whether it takes more than one value."""
        return len(self.items) > 1 or isinstance(self.items[0], Range)

    @property
    def first(self) -> str:
        """The first value, or one end of the first range."""
        return self.items[0].ends[0] if isinstance(self.items[0], Range) else self.items[0]

    def all(self) -> list[str]:
        """All values. Raises UsageError if there is a range to draw from."""
        every = (item.all(self.path) if isinstance(item, Range) else [item] for item in self.items)
        return list(itertools.chain.from_iterable(every))

    def draw(self, rng: random.Random) -> str:
        """A value at random. A range counts as one of the values, and is then drawn from."""
        item, u = self.items[int(rng.random() * len(self.items))], rng.random()
        return item.draw(u) if isinstance(item, Range) else item


def axis(text: str) -> Axis:
    """The axis in "a.b=1,2,3": values in YAML, parted by the commas that stand in no brackets and no quotes.

    "1..3", "0.1..0.5" and "1e-4..1e-2 log" are ranges. Raises UsageError.
    """
    path, equals, values = text.partition("=")
    source = f"--set {one_line(text)}"
    if not (equals and values.strip() and all(path.split("."))):
        raise UsageError(f"{source}: expected PATH=VALUE,VALUE..., such as optimizer.lr=1e-3,2e-3", config.HINT)
    flow = f"[{values}]"  # a list in YAML, whose parser knows brackets and quotes
    nodes = compose(flow, source, NOWHERE).value
    return Axis(path, [_item(flow[node.start_mark.index : node.end_mark.index], source) for node in nodes])


def _item(text: str, source: str) -> str | Range:
    """The range that a text is, or else the text. Raises UsageError for a range that is empty."""
    found = RANGE.fullmatch(text)
    low, high = map(number, found.groups()[:2]) if found else (None, None)
    if found is None or low is None or high is None:
        return text
    log, ends = found[3] is not None, (found[1], found[2])
    if low >= high or (log and low <= 0):
        wanted = "the lower end first" if low >= high else "ends above 0"
        raise UsageError(f"{source}: {text}: expected {wanted}", "such as 0.1..0.5, or 1e-4..1e-2 log")
    return Range(ends, low, high, log, all(map(INTEGER.fullmatch, ends)))


def trainings(
    texts: Sequence[str],
    read: Callable[[list[str]], Any],
    seeds: str | None = None,
    draws: int | None = None,
    seed: int = 1,
) -> dict[str, Setting]:
    """Settings of a sweep by their names: all combinations of the values, or so many that are drawn at random.

    texts: "a.b=1,2" each, see `axis`; the values of the last one change fastest. read: the configuration with overrides
    "a.b=c", or UsageError; every combination is read. seeds: "1..3" or "1,2,5"; each combination with each of them, all
    combinations with the first before any with the second. draws: number of different combinations that are drawn from
    a generator that starts with `seed`; a smaller number gives the first of them.

    Raises UsageError with all mistakes, a line each; also where two combinations are the same configuration.
    """
    mistakes: dict[str, str] = {}  # each with its hint, and once, however many combinations have it

    def attempt(function: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return function(*arguments)
        except UsageError as error:
            mistakes.update(dict.fromkeys(error.message.splitlines(), error.hint))
            return None

    def configuration(setting: Setting) -> Any:
        return attempt(read, [f"{path}={value}" for path, value in setting.items()])

    axes = [one for text in texts if (one := attempt(axis, text))]
    for path, times in Counter(path for path, _ in axes).items():
        if times > 1:
            mistakes[f"{path}: given {times} times"] = "list its values in one place, with commas"
    first = {axis.path: axis.first for axis in axes}
    axes = [Axis(path, [_typed(item, path, first, configuration) for item in items]) for path, items in axes]
    numbers = None
    if seeds is not None and SEED in first:
        mistakes[f"--seeds {seeds} and --set {SEED}={first[SEED]}"] = "give one of them"
    elif seeds is not None:
        numbers = attempt(_seeds, seeds)
    values = None if draws else [attempt(axis.all) for axis in axes]
    found: list[Setting] = []
    if draws and not mistakes:
        found = _drawn(axes, draws, seed)
    elif values and None not in values:
        if (number := math.prod(map(len, values))) > MOST:
            raise UsageError(f"{number:,} combinations, expected up to {MOST:,}", FEWER)
        found = [{axis.path: value for axis, value in zip(axes, chosen)} for chosen in itertools.product(*values)]
    if numbers:
        axes.append(Axis(SEED, numbers))
        found = [{**setting, SEED: value} for value in numbers for setting in found or [{}]]
    if len(found) > MOST:
        raise UsageError(f"{len(found):,} trainings, expected up to {MOST:,}", FEWER)
    same: dict[str, Setting] = {}
    for setting in found:
        if (built := configuration(setting)) is not None:
            twin = same.setdefault(config.dump(built), setting)
            if twin is not setting:
                mistakes[f"{_shown(twin)} and {_shown(setting)}: one configuration"] = "leave one of them out"
    if mistakes:
        raise UsageError("\n".join(mistakes), next(iter(mistakes.values())))
    return dict(zip(_names(found, axes), found))


def _typed(item: str | Range, path: str, first: Setting, configuration: Callable[[Setting], Any]) -> str | Range:
    """An item of an axis, after it was read beside the first values of the others.

    A range, of which both ends are read, has integers alone if both ends are integers, and the option is one, too.
    """
    ends = item.ends if isinstance(item, Range) else (item,)
    built = [configuration({**first, path: end}) for end in ends]
    if isinstance(item, str) or None in built:
        return item
    values = [functools.reduce(getattr, path.split("."), one) for one in built]
    return replace(item, whole=item.whole and all(isinstance(value, int) for value in values))


def _seeds(text: str) -> list[str]:
    try:
        values = axis(f"{SEED}={text}").all()
    except UsageError:
        values = []
    if not values or not all(map(INTEGER.fullmatch, values)):
        raise UsageError(f"--seeds {one_line(text)}: expected integers", "such as 1..3, or 1,2,5")
    return values


def _drawn(axes: Sequence[Axis], draws: int, seed: int) -> list[Setting]:
    """Draw so many different combinations. Raises UsageError if there are not as many."""
    rng, found = random.Random(seed), dict[str, Setting]()
    for _ in range(100 * draws):
        setting = {axis.path: axis.draw(rng) for axis in axes}
        found.setdefault(_shown(setting), setting)
        if len(found) == draws:
            return list(found.values())
    raise UsageError(f"--random {draws}: there are only {len(found)} combinations", "without --random, all are tried")


def _shown(setting: Setting) -> str:
    return " ".join(f"{path}={value}" for path, value in setting.items())


# --- names ---------------------------------------------------------------------------------------------------------


def short_names(paths: Iterable[str]) -> dict[str, str]:
    """The last part of each dotted path, or the whole path where another one ends alike."""
    paths = list(paths)
    last = {path: path.rpartition(".")[2] for path in paths}
    often = Counter(last.values())
    return {path: name if often[name] == 1 else path for path, name in last.items()}


def _names(found: Sequence[Setting], axes: Sequence[Axis]) -> list[str]:
    """A name for each setting that can be that of a file: "lr=1e-3,size=200", the options that vary in the axes.

    Where no two values look alike it depends on the setting alone, so that a sweep can grow.
    """
    paths = [axis.path for axis in axes if axis.varies or axis.path == SEED] or [axis.path for axis in axes]
    short = short_names(paths)
    plain = [",".join(f"{short[path]}={_slug(setting[path])}" for path in paths) for setting in found]
    often = Counter(plain)
    return [
        name if often[name] == 1 and len(name.encode()) <= LONGEST else _marked(name, setting)
        for name, setting in zip(plain, found)
    ]


def _slug(value: str) -> str:
    """A value in YAML without brackets, quotes and blanks, and with a dash for what a file name should not have."""
    return re.sub(r"[^\w.+,@%-]+", "-", re.sub(r"[{}\[\]\"'\s]+", "", value))


def _marked(name: str, setting: Setting) -> str:
    """A name, cut to its length, that differs for each setting."""
    mark = hashlib.sha256(_shown(setting).encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return f"{name.encode()[: LONGEST - 9].decode('utf-8', 'ignore')}~{mark}"

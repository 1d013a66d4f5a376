"""YAML -> frozen dataclasses: the dataclass is the schema, and a section of the file is its constructor call.

Every mistake is found, and all are reported together, one line each: place, dotted path, what was expected and found,
and a suggestion. PyYAML only composes nodes, so nothing in a file is constructed or executed. Scalars are those of
YAML 1.2: `1e-3` is a number, `0123` is 123, and `1:30`, `no` and `off` are text.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import difflib
import functools
import math
import operator
import re
import types
from collections.abc import Iterable, Mapping
from dataclasses import MISSING
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, NewType, TypeVar, Union, get_args, get_origin, get_type_hints

import yaml

from rnnlm.config.yaml12 import NOWHERE, SCALARS, TAG, compose, number, place, scalar, to_yaml
from rnnlm.errors import UsageError
from rnnlm.files import one_line, read_text, shortened

T = TypeVar("T")
Duration = NewType("Duration", float)  # seconds; written 90s, 5m, 2h, 1h30m or as a number

HINT = "`rnnlm config explain` lists every option"
# Far above any real configuration: what is larger is another kind of file, or an attack.
MAX_BYTES = 200_000
MAX_VALUES = 10_000  # after aliases are expanded: nine lines of them can stand for billions
MAX_DEPTH = 50

_NUMBERS = {int: "an integer", float: "a number", Duration: "a duration (90s, 5m, 1h30m or seconds)"}
_OTHERS = {str: "text", bool: "true or false", types.NoneType: "null"}
_BOUNDS = {
    "low": ("at least", operator.ge), "above": ("above", operator.gt), "high": ("at most", operator.le),
    "below": ("below", operator.lt),
}  # fmt: skip


def option(default: Any = MISSING, doc: str = "", *, default_factory: Any = MISSING, **bounds: float) -> Any:
    """A dataclass field with a one-line explanation and a range: `low`, `high` inclusive, `above`, `below` exclusive.

    The range holds for every number in the field: those of a union, and those in a list.
    """
    return dataclasses.field(default=default, default_factory=default_factory, metadata={"doc": doc, "bounds": bounds})


class Choice:
    """Base of dataclasses of which a configuration chooses one by its `kind`.

    A direct subclass stands for all kinds of a thing, and may name the kind that a section without one means:
    `class Optimizer(Choice, default="sgd")`. Its subclasses register themselves: `class Adam(Optimizer, kind="adam")`.
    For an option with a default of its own, `init: Init = option(Uniform(0.05))`, the kind of that default is meant.
    """

    kind: ClassVar[str]
    _kinds: ClassVar[dict[str, type[Any]]]
    _default: ClassVar[str | None]

    def __init_subclass__(cls, kind: str | None = None, default: str | None = None, **arguments: Any):
        super().__init_subclass__(**arguments)
        if Choice in cls.__bases__:
            cls._kinds, cls._default = {}, default
        elif kind is not None:
            if kind in cls._kinds:
                raise TypeError(f"{cls.__name__}: the kind '{kind}' is taken by {cls._kinds[kind].__name__}")
            cls.kind = kind
            cls._kinds[kind] = cls

    @classmethod
    def kinds(cls) -> dict[str, type[Any]]:
        """Subclasses by kind, in the order of registration; a class with a kind of its own is among them."""
        return {kind: member for kind, member in cls._kinds.items() if issubclass(member, cls)}

    @classmethod
    def default_kind(cls) -> str | None:
        """The kind of a section that names none; a class with a kind of its own means that."""
        return getattr(cls, "kind", cls._default)


class Option(NamedTuple):
    """The type, default, range and meaning of an option."""

    type: Any
    default: Any = MISSING
    bounds: Mapping[str, float] = types.MappingProxyType({})
    doc: str = ""

    def __str__(self) -> str:
        """What is expected: "an integer of at least 1 or null"."""
        if len(self.members) > 1:
            members = sorted(self.members, key=lambda member: member is types.NoneType)
            return " or ".join(str(self._replace(type=member)) for member in members)
        hint, limits = self.type, self.range
        if hint in _NUMBERS:
            return f"{_NUMBERS[hint]} {'of ' * limits.startswith('at')}{limits}".rstrip()
        if get_origin(hint) is Literal:
            return f"one of {', '.join(map(str, get_args(hint)))}"
        if get_origin(hint) in (list, tuple):
            return f"a list (each item {self._replace(type=get_args(hint)[0])})"
        if is_section(hint) and issubclass(hint, Choice):
            return f"one of the kinds {', '.join(hint.kinds())}"
        return f"a section (known: {', '.join(options(hint))})" if is_section(hint) else _OTHERS[hint]

    @property
    def members(self) -> tuple[Any, ...]:
        """The types of a union; any other type by itself."""
        return get_args(self.type) if get_origin(self.type) in (Union, types.UnionType) else (self.type,)

    @property
    def range(self) -> str:
        """The range of a number in words: "at least 0 and below 1"; empty if there is none."""
        return " and ".join(f"{_BOUNDS[name][0]} {bound}" for name, bound in self.bounds.items())

    def holds(self, value: Any) -> bool:
        """Whether a value, if it is a number, is in the range."""
        within = (_BOUNDS[name][1](value, bound) for name, bound in self.bounds.items())
        return not isinstance(value, (int, float)) or all(within)


@functools.cache
def options(cls: Any) -> dict[str, Option]:
    """The options of a dataclass by name: what its constructor takes. Cached, because typing is slow to find types."""
    hints, found = get_type_hints(cls), {}
    for field in dataclasses.fields(cls):
        if field.init:
            default = field.default if field.default_factory is MISSING else field.default_factory()
            found[field.name] = Option(hints[field.name], default, **field.metadata)
    return found


def is_section(hint: Any) -> bool:
    """Whether a type is a section of the file: a dataclass, or a Choice."""
    return isinstance(hint, type) and (dataclasses.is_dataclass(hint) or issubclass(hint, Choice))


def load(path: str | Path, cls: type[T], overrides: Iterable[str] = ()) -> tuple[T, list[str]]:
    """The configuration in the YAML file `path` as an instance of the dataclass `cls`: see `parse`."""
    return parse(read_text(Path(path), MAX_BYTES, "a YAML file"), str(path), cls, overrides)


def parse(text: str, source: str, cls: type[T], overrides: Iterable[str] = ()) -> tuple[T, list[str]]:
    """The configuration in a YAML text as an instance of the dataclass `cls`; `source` names it in messages.

    overrides: "a.b=c" each, with c in YAML; later ones win.
    Returns the instance, and one message per override: "override optimizer.lr: 0.1 -> 0.05".
    Raises UsageError with all mistakes, one per line.
    """
    name = one_line(source)
    root = compose(text, name) or yaml.MappingNode(TAG + "map", [])
    root.start_mark = None  # what the file as a whole lacks is missing on no line
    before, reader = _Reader(name), _Reader(name, overrides)
    old = before.value(Option(cls), root, "")
    new = reader.read(cls, root)
    if not before.mistakes:
        reader.overridden = {path: _pick(old, path) for path in reader.overrides}
    return new, [f"override {path}: {reader.overridden[path]} -> {_pick(new, path)}" for path in reader.overrides]


def sections(text: str) -> list[str]:
    """The keys of a YAML text that is a section, those at the outermost level; none of any other text."""
    try:
        root = compose(text, "")
    except UsageError:
        return []
    return [str(key.value) for key, _ in root.value] if isinstance(root, yaml.MappingNode) else []


def build(cls: type[T], plain: Mapping[str, Any], source: str = "<config>", overrides: Iterable[str] = ()) -> T:
    """The instance of the dataclass `cls` that plain data (dicts, lists, scalars) describes, by the rules of `parse`.

    The data may come from anywhere, such as a model file. Raises UsageError as `parse` does.
    """
    try:
        root = yaml.representer.SafeRepresenter(sort_keys=False).represent_data(plain)
    except (RecursionError, ValueError, yaml.YAMLError):  # too deep, more digits than Python writes, other objects
        raise UsageError(f"{source}: nested too deeply, or no plain data", HINT) from None
    return _Reader(source, overrides).read(cls, root)


def plain(instance: Any) -> Any:
    """The instance as nested dicts, lists and scalars, with a "kind" where there is a choice; `build` reads it back."""
    if dataclasses.is_dataclass(instance):
        kind: dict[str, Any] = {"kind": instance.kind} if isinstance(instance, Choice) else {}
        return kind | {name: plain(getattr(instance, name)) for name in options(instance.__class__)}
    return [plain(item) for item in instance] if isinstance(instance, (list, tuple)) else instance


def dump(instance: Any, flow: bool = False) -> str:
    """The instance as YAML, which `load` reads back. `flow`: in one line."""
    return in_one_line(plain(instance)) if flow else to_yaml(plain(instance))


def in_one_line(data: Any) -> str:
    """Plain data as YAML in one line."""
    return to_yaml([data], default_flow_style=True).strip()[1:-1]


def seconds(text: str) -> float:
    """The seconds of a duration: "90s", "5m", "1h30m", "90". Raises UsageError."""
    value = number(text)
    if value is None and text and (parts := _DURATION.fullmatch(text)):
        value = sum(float(part or 0) * unit for part, unit in zip(parts.groups(), (3600, 60, 1)))
    if value is None or not 0 <= value < math.inf:
        raise UsageError(f"expected {Option(Duration)}, found {shortened(text, 60)}", "90m and 2h are times")
    return value


_DURATION = re.compile(r"(?:(\d+\.?\d*)h)?(?:(\d+\.?\d*)m)?(?:(\d+\.?\d*)s)?", re.ASCII)
_INVALID = object()  # stands for a value that was reported as a mistake


def _found(node: Any) -> str:
    """What stands in a node, for a message."""
    value = scalar(node)
    if isinstance(value, list):
        return "a section" if isinstance(node, yaml.MappingNode) else "a list"
    return shortened(value, 60) if isinstance(value, str) else f"{node.value or 'nothing':.60}"


def _text(node: Any) -> str:
    """The text of a scalar node; empty for a list or a section, however deeply nested."""
    return node.value if isinstance(node.value, str) else ""


class _Reader:
    """Reads one configuration and collects its mistakes."""

    def __init__(self, source: str, overrides: Iterable[str] = ()):
        self.source, self.hint = source, HINT
        self.mistakes: list[tuple[int, str]] = []  # (line, message)
        self.overrides: dict[str, Any] = {}  # nodes by path
        self.overridden: dict[str, str] = {}  # what the file has at those paths
        self.values = 0
        for override in overrides:
            self.override(override)

    def read(self, cls: type[T], root: Any) -> T:
        """The instance in a root node. Raises UsageError with all mistakes, in the order of lines."""
        instance = self.value(Option(cls), root, "")
        if self.mistakes:
            in_order = sorted(self.mistakes, key=lambda mistake: mistake[0])
            raise UsageError("\n".join(message for _, message in in_order), self.hint)
        return instance

    def note(self, node: Any, path: str, problem: str, meant: str = "", known: Iterable[str] = ()) -> Any:
        """Take down a mistake, and return _INVALID."""
        mark = node.start_mark
        source, line = (mark.name, mark.line) if mark else (self.source, NOWHERE)
        subject = "" if not path or source.startswith(f"--set {path}=") else f"{one_line(path)}: "
        suggestion = f"; did you mean '{meant}'?" if meant else ""
        names = f" (known: {', '.join(known)})" if known else ""
        self.mistakes.append((line, f"{place(source, line)}: {subject}{problem}{suggestion}{names}"))
        return _INVALID

    def override(self, override: str) -> None:
        """Let c of "a.b=c" stand at a.b, whatever the file or an earlier override has there or below."""
        path, equals, text = override.partition("=")
        source = f"--set {one_line(override)}"
        try:
            if not equals or not all(path.split(".")):
                raise UsageError(f"{source}: expected PATH=VALUE, such as optimizer.lr=0.05", HINT)
            node = compose(text, source, NOWHERE) or yaml.ScalarNode(TAG + "null", "")
        except UsageError as error:
            self.mistakes.append((NOWHERE, error.message))
            return
        self.overrides = {at: old for at, old in self.overrides.items() if not f"{at}.".startswith(f"{path}.")}
        self.overrides[path] = node

    def overlay(self, section: dict[str, Any], path: str) -> None:
        """Put the overrides of a section into it; sections in it that are not there are added."""
        start = _join(path, "")
        for at in filter(lambda at: at.startswith(start), self.overrides):
            key, _, rest = at.removeprefix(start).partition(".")
            node = self.overrides[at]
            if not rest:
                self.overridden[at] = _found(section[key]) if key in section else "unset"
                section[key] = node
            elif key not in section or scalar(section[key]) is None:
                section[key] = yaml.MappingNode(TAG + "map", [], node.start_mark)

    def value(self, option: Option, node: Any, path: str) -> Any:
        """The value in `node`, for an option or an item of it."""
        self.values += 1
        if self.values > MAX_VALUES or path.count(".") > MAX_DEPTH:
            problem = f"more than {MAX_VALUES} values or {MAX_DEPTH} levels, such as an alias that contains itself"
            raise UsageError(f"{self.source}: {problem}", HINT)
        if node.tag.removeprefix(TAG) not in ("map", "seq", "str", *SCALARS):
            return self.note(node, path, f"the tag {one_line(node.tag.replace(TAG, '!!'))} is not supported")
        if types.NoneType in option.members and scalar(node) is None:
            return None
        if sections := [member for member in option.members if is_section(member)]:
            return self.section(sections[0], node, path, option)
        if below := [node for at, node in self.overrides.items() if at.startswith(f"{path}.")]:
            return self.note(below[0], path, "not a section; set it as a whole")
        for member in option.members:
            if (make := get_origin(member)) in (list, tuple):
                if len({*option.members} - {types.NoneType}) > 1 and not isinstance(node, yaml.SequenceNode):
                    continue  # the other members of the union say what a scalar means
                item, nodes = option._replace(type=get_args(member)[0]), {path: node}  # no list: a list of one
                if isinstance(node, yaml.SequenceNode):
                    nodes = {f"{path}[{index}]": child for index, child in enumerate(node.value)}
                values = make([self.value(item, child, inside) for inside, child in nodes.items()])
                return _INVALID if _INVALID in values else values
        # Text comes last, because every scalar can be read as text.
        for member in sorted(option.members, key=lambda member: member is str):
            if (value := _convert(member, node)) is not _INVALID:
                if option.holds(value):
                    return value
                break
        words = [str(word) for member in option.members for word in get_args(member)]
        return self.note(node, path, f"expected {option}, found {_found(node)}", _closest(_text(node), words))

    def section(self, cls: Any, node: Any, path: str, option: Option) -> Any:
        """An instance of the dataclass `cls`, or of a kind of the Choice `cls`."""
        section: dict[str, Any] = {}
        chosen = None
        if isinstance(node, yaml.MappingNode):
            section = self.keys(node, path)
        elif issubclass(cls, Choice) and isinstance(scalar(node), (str, int, float)):
            section = {"kind": node}  # `optimizer: adam`
        elif _found(node) != "nothing":  # which is a title with nothing below it
            return self.note(node, path, f"expected {Option(cls)}, found {_found(node)}")
        self.overlay(section, path)
        others = []
        if issubclass(cls, Choice):
            kinds, others = cls.kinds(), ["kind"]
            chosen = section.pop("kind", None)
            kind = _text(chosen) if chosen else getattr(option.default, "kind", None) or cls.default_kind()
            if kind not in kinds:
                at = path if chosen is node else _join(path, "kind")
                problem = f"unknown kind {_found(chosen)}" if chosen else "missing required key"
                return self.note(chosen or node, at, problem, _closest(kind or "", kinds), kinds)
            cls = kinds[kind]
        known = options(cls)
        values = {key: self.value(known[key], section[key], _join(path, key)) for key in section if key in known}
        meant = {key: _closest(key, [*known, *others]) for key in section if key not in known}
        for key, close in meant.items():
            self.note(section[key], _join(path, key), "unknown key", close, known or ["none"])
        if meant and others and chosen and _join(path, "kind") in self.overrides:
            self.replacement(section, path, str(chosen.value), known)
        for key, inner in known.items():
            if key not in section and inner.default is MISSING:
                values[key] = _INVALID
                if key not in meant.values():  # misspelt is not missing
                    self.note(node, _join(path, key), f"missing required key; expected {inner}")
        if _INVALID in values.values():
            return _INVALID
        try:
            return cls(**values)
        except ValueError as error:  # a rule between fields: "size: must ..."
            key, _, problem = str(error).partition(": ")
            if key not in known:
                return self.note(node, path, str(error))
            return self.note(section.get(key, node), _join(path, key), problem)

    def replacement(self, section: dict[str, Any], path: str, kind: str, known: Iterable[str]) -> None:
        """Hint at the section as a whole, where --set chose another kind and the options of the former one are left."""
        items = [("kind", kind), *((key, node.value) for key, node in section.items() if key in known)]
        words = ", ".join(f"{key}: {value}" for key, value in items if isinstance(value, str))
        self.hint = f"the options of the other kind stay; replace the section: --set '{path}={{{words}}}'"

    def keys(self, node: Any, path: str) -> dict[str, Any]:
        """The nodes in a section by key; each stands on the line of its key."""
        section: dict[str, Any] = {}
        for key, child in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self.note(key, path, f"a key must be text, found {_found(key)}")
            elif key.value in section:
                mark = section[key.value].start_mark
                first = f"; first on line {mark.line + 1}" if mark and mark.line < NOWHERE else ""
                self.note(key, _join(path, key.value), f"duplicate key{first}")
            else:
                section[key.value] = child = copy.copy(child)  # an alias stands in several places
                child.start_mark = key.start_mark
        return section


def _convert(hint: Any, node: Any) -> Any:
    """The scalar in `node` as the type `hint`; _INVALID if it is not one."""
    value, text = scalar(node), node.value
    if get_origin(hint) is Literal:
        return next((choice for choice in get_args(hint) if _convert(type(choice), node) == choice), _INVALID)
    # Text as written, so that a file may be called 2024. A lone surrogate could be neither printed nor saved.
    if hint is str and isinstance(value, (str, int, float)) and not re.search("[\ud800-\udfff]", text):
        return text
    if hint in (bool, int) and type(value) is hint:
        return value
    if hint is float and type(value) in (int, float) and number(text) is not None:
        return number(text)
    if hint is Duration and type(value) in (int, float, str):
        with contextlib.suppress(UsageError):
            return seconds(text)
    return _INVALID


def _pick(instance: Any, path: str) -> str:
    """The value of an option of an instance, for a message."""
    try:
        return dump(functools.reduce(getattr, path.split("."), instance), flow=True)
    except (AttributeError, yaml.YAMLError):  # no such option of the kind that it was
        return "unset"


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _closest(word: str, known: Iterable[str]) -> str:
    """The known word that was probably meant; empty if none was."""
    return next(iter(difflib.get_close_matches(word[:100], list(known), n=1)), "")

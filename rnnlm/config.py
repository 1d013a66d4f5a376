"""YAML -> frozen dataclasses: the dataclass is the schema, and a section of the file is its constructor call.

Every mistake is found, and all are reported together, each in one line with its place, its dotted path and, where there
is one, a suggestion. PyYAML only composes nodes: nothing in a file is constructed or executed. The scalars are those of
YAML 1.2, so that `1e-3` is a number, `0123` is 123, and `1:30` and `no` are text.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import inspect
import json
import re
import sys
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, NewType, TypeVar, Union, get_args, get_origin, get_type_hints

import yaml

from rnnlm.errors import UsageError

T = TypeVar("T")
Duration = NewType("Duration", float)  # seconds; written 90s, 5m, 2h, 1h30m or as a number

HINT = "`rnnlm config explain` lists every option"
YAML_HINT = "look at the indentation and the brackets, and put quotes around text that has special characters"

# Far above any real configuration: what is larger is another kind of file, or an attack.
MAX_BYTES = 200_000
MAX_DEPTH = 50
MAX_NODES = 10_000  # after aliases are expanded: nine lines of them can stand for billions


# --- What a configuration is made of ---


class Bounds(NamedTuple):
    """The range of a number; `None` is no bound."""

    low: float | None = None
    above: float | None = None
    high: float | None = None
    below: float | None = None

    def __str__(self) -> str:
        words = zip(("at least", "above", "at most", "below"), self)
        return " and ".join(f"{word} {bound}" for word, bound in words if bound is not None)

    def hold(self, value: float) -> bool:
        return (
            (self.low is None or value >= self.low)
            and (self.above is None or value > self.above)
            and (self.high is None or value <= self.high)
            and (self.below is None or value < self.below)
        )


def option(
    default: Any = MISSING,
    doc: str = "",
    *,
    default_factory: Any = MISSING,
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    below: float | None = None,
) -> Any:
    """A dataclass field with a one-line explanation and a range: `low`, `high` inclusive, `above`, `below` exclusive.

    The range holds for every number in the field: those of a union, and those in a list.
    """
    metadata = {"doc": doc, "bounds": Bounds(low, above, high, below)}
    return dataclasses.field(default=default, default_factory=default_factory, metadata=metadata)


class Choice:
    """A family of dataclasses told apart by `kind`.

    A direct subclass is a family, `class Cell(Choice)`, and may name the kind that a section without one means:
    `class Optimizer(Choice, default="sgd")`. Its subclasses register themselves: `class Vanilla(Cell, kind="vanilla")`.
    An option whose own default is a member, `init: Init = option(Uniform(0.05))`, means that member's kind instead.
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
        """The members of the family by kind, in the order of registration; of a member, those from it down."""
        return {kind: member for kind, member in cls._kinds.items() if issubclass(member, cls)}

    @classmethod
    def default_kind(cls) -> str | None:
        """The kind of a section that names none: what the family says; a member stands for itself."""
        return getattr(cls, "kind", cls._default)


class Row(NamedTuple):
    """One line of the reference: an option, or a kind of a family."""

    path: str  # "model.cell[vanilla].size" is the option model.cell.size of the kind vanilla
    type: str
    default: str  # as it is written in YAML; "required" if there is none
    range: str
    doc: str

    @property
    def bare(self) -> str:
        """The path as an override has it, without kinds."""
        return re.sub(r"\[\w+\]", "", self.path)

    def is_at(self, path: str) -> bool:
        """Whether this is the row of `path`, with or without kinds, or of something inside it."""
        names = (self.path, self.bare)
        return not path or path in names or any(name.startswith((f"{path}.", f"{path}[")) for name in names)


# --- In and out ---


def load(path: str | Path, cls: type[T], overrides: Iterable[str] = ()) -> tuple[T, list[str]]:
    """The configuration in the YAML file `path` as an instance of the dataclass `cls`.

    overrides: "a.b=c" each, with c in YAML; later ones win.
    Returns the instance, and one message per override: "override optimizer.lr: 0.1 -> 0.05".
    Raises UsageError with all mistakes, one per line.
    """
    reader = _Reader()
    name = _shown(str(path))
    root = _parse(_read_text(Path(path), name), name, reader.note)
    if root.value is None and not root.text:
        raise UsageError(f"{name}: empty; expected {_describe(cls)}", HINT)
    before = _Reader()
    instance = before.section(cls, root, "")
    old = _written(root) if before.mistakes else plain(instance)
    changed = [reader.override(root, override) for override in overrides]
    instance = reader.finish(reader.section(cls, root, ""))
    new = plain(instance)
    return instance, [f"override {path}: {_pick(old, path)} -> {_pick(new, path)}" for path in changed]


def build(cls: type[T], plain: Mapping[str, Any], source: str = "<config>") -> T:
    """The instance of the dataclass `cls` that plain data describes, by the rules of `load`.

    The data may come from anywhere, such as a model file; `source` names it in messages.
    Raises UsageError with all mistakes, one per line.
    """
    reader = _Reader()
    return reader.finish(reader.section(cls, _from_plain(plain, source), ""))


def plain(instance: Any) -> Any:
    """The instance as nested dicts, lists and scalars, with a "kind" where there is a choice; `build` reads it back."""
    if dataclasses.is_dataclass(instance):
        kind: dict[str, Any] = {"kind": instance.kind} if isinstance(instance, Choice) else {}
        return kind | {name: plain(getattr(instance, name)) for name in _options(instance)}
    if isinstance(instance, (list, tuple)):
        return [plain(item) for item in instance]
    return instance


def dump(instance: Any) -> str:
    """The instance as YAML; `load` reads it back."""
    return _to_yaml(plain(instance), flow=False)


def explain(cls: type, path: str = "") -> list[Row]:
    """The reference of the options of the dataclass `cls`: of all, or of those at and below `path`.

    Raises UsageError if nothing has that path.
    """
    rows: list[Row] = []
    first: dict[type, str] = {}
    for row, sections in _explain(cls, "", {}):
        # What many options share, such as an initializer, is explained where it is met first.
        if row.is_at(path) and all(first.setdefault(section, at) == at for section, at in sections.items()):
            rows.append(row)
    if not rows:
        close = _closest(path, [row.bare for row, _ in _explain(cls, "", {})])
        raise UsageError(f"{_shown(path)}: no such option{_did_you_mean(close)}", HINT)
    return rows


def seconds(text: str) -> float:
    """The seconds of a duration as a flag gives it: "90s", "5m", "1h30m", "90". Raises UsageError."""
    value = float(text) if re.fullmatch(_SCALARS["float"], text) else text
    duration = _scalar(Duration, _Node("", 0, value, text))
    if duration is _INVALID or duration < 0:
        raise UsageError(f"expected {_describe(Duration)}, found {_clipped(repr(text))}", "90m and 2h are times")
    return duration


# --- Types ---


def _options(cls: Any) -> dict[str, dataclasses.Field]:
    """The fields of a dataclass that its constructor takes, by name."""
    return {field.name: field for field in dataclasses.fields(cls) if field.init}


@functools.cache
def _hints(cls: Any) -> dict[str, Any]:
    """The types of the fields of a dataclass; typing takes longer to find them than all else takes."""
    return get_type_hints(cls)


def _default(field: dataclasses.Field) -> Any:
    """What an option is when it is not given; MISSING if it must be."""
    return field.default if field.default_factory is MISSING else field.default_factory()


def _bounds(field: dataclasses.Field) -> Bounds:
    return field.metadata.get("bounds", Bounds())


def _is_section(hint: Any) -> bool:
    return isinstance(hint, type) and (dataclasses.is_dataclass(hint) or issubclass(hint, Choice))


def _members(hint: Any) -> tuple[Any, ...]:
    """The types of a union; any other type by itself."""
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def _describe(hint: Any, bounds: Bounds | str = "") -> str:
    """What is expected: "an integer of at least 1 or null"."""
    if len(_members(hint)) > 1:
        members = sorted(_members(hint), key=lambda member: member is types.NoneType)
        return " or ".join(_describe(member, bounds) for member in members)
    if hint in (int, float, Duration):
        noun = {int: "an integer", float: "a number", Duration: "a duration (90s, 5m, 1h30m or seconds)"}[hint]
        limits = str(bounds)
        return f"{noun} of {limits}" if limits.startswith("at") else f"{noun} {limits}".rstrip()
    if get_origin(hint) is Literal:
        return f"one of {', '.join(map(str, get_args(hint)))}"
    if get_origin(hint) in (list, tuple):
        return f"a list (each item {_describe(get_args(hint)[0], bounds)})"
    if isinstance(hint, type) and issubclass(hint, Choice):
        return f"one of the kinds {', '.join(hint.kinds())}"
    if dataclasses.is_dataclass(hint):
        return f"a section (known: {', '.join(_options(hint))})"
    return {str: "text", bool: "true or false", types.NoneType: "null"}[hint]


def _explain(cls: type, at: str, above: dict[type, str]) -> Iterator[tuple[Row, dict[type, str]]]:
    """The rows of a dataclass that stands `at` a path, each with the sections that it stands in and their paths."""
    hints = _hints(cls)
    for name, field in _options(cls).items():
        hint, default, inside = hints[name], _default(field), _join(at, name)
        kind_of_value = re.sub(r"^an? | \(known: .*\)", "", _describe(hint))
        written = "required" if default is MISSING else _flow(_brief(default)).replace("{}", "")
        yield Row(inside, kind_of_value, written, str(_bounds(field)), field.metadata.get("doc", "")), above
        parts = [part for member in _members(hint) for part in (member, *get_args(member))]
        for section in filter(_is_section, parts):
            if section in above:
                continue  # a cell made of cells
            sections = above | {section: inside}
            if not issubclass(section, Choice):
                yield from _explain(section, inside, sections)
                continue
            for kind, member in section.kinds().items():
                doc = (inspect.getdoc(member) or "").partition("\n\n")[0]
                yield Row(f"{inside}[{kind}]", "", "", "", " ".join(doc.split())), sections
                yield from _explain(member, f"{inside}[{kind}]", sections)


def _brief(value: Any) -> Any:
    """A default as plain data, without what would be the same if it were left out."""
    if not dataclasses.is_dataclass(value):
        return value
    brief = {
        name: _brief(getattr(value, name))
        for name, field in _options(value).items()
        if getattr(value, name) != _default(field)
    }
    if isinstance(value, Choice):
        return {"kind": value.kind} | brief if brief else value.kind
    return brief


# --- The tree of a configuration: what stands where, before its types are known ---


class _Node(NamedTuple):
    """One place in a configuration."""

    source: str
    line: int  # 0 where there are none: in plain data and in overrides
    value: Any  # None, bool, int, float, str; a list of nodes; or a dict of them
    text: str = ""  # of a scalar: as it is written

    @property
    def where(self) -> str:
        return f"{self.source}:{self.line}" if self.line else self.source

    @property
    def found(self) -> str:
        """The value, for a message."""
        if isinstance(self.value, dict):
            return "a section"
        if isinstance(self.value, list):
            return "a list"
        if self.value is None:
            return self.text or "nothing"
        return _clipped(repr(self.value) if isinstance(self.value, str) else self.text)


Note = Callable[[_Node, str, str], None]  # note(node, path, problem) takes down a mistake


def _from_plain(value: Any, source: str, depth: int = 0) -> _Node:
    if depth > MAX_DEPTH:
        raise UsageError(f"{source}: nested more than {MAX_DEPTH} levels deep", HINT)
    if isinstance(value, Mapping):
        return _Node(source, 0, {str(key): _from_plain(item, source, depth + 1) for key, item in value.items()})
    if isinstance(value, (list, tuple)):
        return _Node(source, 0, [_from_plain(item, source, depth + 1) for item in value])
    return _Node(source, 0, value, value if isinstance(value, str) else json.dumps(value, default=repr))


def _written(node: _Node) -> Any:
    """The tree as plain data."""
    if isinstance(node.value, dict):
        return {key: _written(child) for key, child in node.value.items()}
    if isinstance(node.value, list):
        return [_written(child) for child in node.value]
    return node.value


# --- From text to the tree ---

# The scalars of YAML 1.2: what a plain one means when it is read, and which text needs quotes when it is written.
# Python's int() takes no more than 4300 digits; a longer number is a float, and too large for one.
_SCALARS = {
    "null": r"~|null|Null|NULL|",
    "bool": r"true|True|TRUE|false|False|FALSE",
    "int": r"[-+]?[0-9]{1,4000}",
    "float": r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?",
}
_TAG = "tag:yaml.org,2002:"
_RESOLVERS = {None: [(_TAG + name, re.compile(rf"(?:{pattern})\Z")) for name, pattern in _SCALARS.items()]}
_CONSTRUCT: dict[str, Callable[[str], Any]] = {
    _TAG + "null": lambda text: None,
    _TAG + "bool": lambda text: text.lower() == "true",
    _TAG + "int": int,
    _TAG + "float": float,
    _TAG + "str": str,
}


class _Loader(yaml.SafeLoader):
    """Composes one YAML text and turns it into our tree."""

    yaml_implicit_resolvers = _RESOLVERS

    def __init__(self, text: str, source: str, lined: bool, note: Note):
        super().__init__(text)
        self.source, self.lined, self.note = source, lined, note
        self.depth = self.nodes = self.composed = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self.depth += 1
        self.composed += 1
        if self.composed > MAX_NODES:
            raise UsageError(f"{self.source}: too large: more than {MAX_NODES} values", HINT)
        if self.depth > MAX_DEPTH:
            problem = f"nested more than {MAX_DEPTH} levels deep"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=self.peek_event().start_mark)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def tree(self, node: yaml.Node, line: int, path: str, depth: int = 0) -> _Node:
        self.nodes += 1
        if depth > MAX_DEPTH or self.nodes > MAX_NODES:
            raise UsageError(
                f"{self.source}: too large: more than {MAX_NODES} values, or an alias that contains itself", HINT
            )
        if isinstance(node, yaml.MappingNode):
            tag, result = _TAG + "map", _Node(self.source, line, self.section(node, path, depth + 1))
        elif isinstance(node, yaml.SequenceNode):
            tag, items = _TAG + "seq", enumerate(node.value)
            children = [self.tree(item, self.line_of(item), f"{path}[{index}]", depth + 1) for index, item in items]
            result = _Node(self.source, line, children)
        else:
            tag = self.resolve(yaml.ScalarNode, node.value, (node.style is None, True))
            result = _Node(self.source, line, _CONSTRUCT[tag](node.value), node.value)
        if node.tag != tag:
            self.note(result, path, f"the tag {_shown(node.tag.replace(_TAG, '!!'))} is not supported")
        return result

    def section(self, node: yaml.MappingNode, path: str, depth: int) -> dict[str, _Node]:
        section: dict[str, _Node] = {}
        for key_node, value_node in node.value:
            line = self.line_of(key_node)
            key = self.tree(key_node, line, path, depth)
            inside = _join(path, key.text)
            child = self.tree(value_node, line, inside, depth)
            if isinstance(key.value, (dict, list)):
                self.note(key, path, f"a key must be text, found {key.found}")
            elif key.text in section:
                first = f"; first on line {section[key.text].line}" if self.lined else ""
                self.note(child, inside, f"duplicate key{first}")
            else:
                section[key.text] = child
        return section

    def line_of(self, node: yaml.Node) -> int:
        return node.start_mark.line + 1 if self.lined else 0


def _parse(text: str, source: str, note: Note, path: str = "") -> _Node:
    """The tree of a YAML text: a file, or what an override puts at `path`, which has no line numbers.

    Mistakes that leave a tree to look at are noted. Raises UsageError if there is no tree.
    """
    lined = not path
    try:
        loader = _Loader(text, source, lined, note)
    except yaml.reader.ReaderError as error:
        place = f"{source}:{text.count(chr(10), 0, error.position) + 1}" if lined else source
        raise UsageError(
            f"{place}: not valid YAML: the character U+{error.character:04X} is not allowed", "remove it"
        ) from None
    try:
        node = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        problem = str(error.problem)
        if error.context:
            begun = f" (line {error.context_mark.line + 1})" if lined and error.context_mark else ""
            problem = f"{error.context}{begun}, {problem}"
        mark = error.problem_mark
    except (ValueError, OverflowError):
        # PyYAML hands "\UFFFFFFFF" to chr(), and the digits of a version to int().
        problem, mark = "a number out of range", loader.get_mark()
    else:
        return loader.tree(node, 0, path) if node else _Node(source, 0, None)
    place = f"{source}:{mark.line + 1}:{mark.column + 1}" if lined else source
    raise UsageError(f"{place}: not valid YAML: {problem}", YAML_HINT)


def _read_text(path: Path, name: str) -> str:
    """The text of a file that messages call `name`."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        tried = "" if path.is_absolute() else f" (tried {path.absolute()})"
        raise UsageError(f"{name}: no such file{tried}", "a relative path starts at the working directory") from None
    except IsADirectoryError:
        raise UsageError(f"{name}: a directory; expected a YAML file", "name the file in it") from None
    except OSError as error:
        raise UsageError(
            f"{name}: {error.strerror}; expected a YAML file", "check the name and its permissions"
        ) from None
    if len(data) > MAX_BYTES:
        raise UsageError(f"{name}: larger than {MAX_BYTES} bytes; expected a YAML file", HINT)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line, byte = data.count(b"\n", 0, error.start) + 1, data[error.start]
        raise UsageError(
            f"{name}:{line}: not UTF-8: byte 0x{byte:02x} at offset {error.start}",
            "convert it, for example with: iconv -f ISO-8859-1 -t UTF-8",
        ) from None


# --- From the tree to instances ---

_INVALID = object()  # stands for a value that was reported as a mistake
_PART = r"([0-9]+(?:\.[0-9]+)?)"
_DURATION = re.compile(f"(?:{_PART}h)?(?:{_PART}m)?(?:{_PART}s)?")


class _Reader:
    """Reads one configuration and collects its mistakes."""

    def __init__(self) -> None:
        self.mistakes: list[tuple[int, str]] = []  # (line, message)

    def note(self, node: _Node, path: str, problem: str) -> None:
        # An override has just said its path.
        subject = "" if not path or node.source.startswith(f"--set {path}=") else f"{_shown(path)}: "
        self.mistakes.append((node.line or sys.maxsize, f"{node.where}: {subject}{problem}"))

    def finish(self, instance: Any) -> Any:
        """The instance; UsageError if there were mistakes."""
        if self.mistakes:
            in_order = sorted(self.mistakes, key=lambda mistake: mistake[0])
            raise UsageError("\n".join(message for _, message in in_order), HINT)
        return instance

    def override(self, root: _Node, override: str) -> str:
        """Put c of "a.b=c" into the tree at a.b and return that path; sections that are not there are added."""
        path, equals, text = override.partition("=")
        source = f"--set {_shown(override)}"
        *parents, last = path.split(".")
        if not (equals and all(parents) and last):
            self.note(_Node(source, 0, None), "", "expected PATH=VALUE, such as optimizer.lr=0.05")
            return path
        try:
            node = _parse(text, source, self.note, path)
        except UsageError as error:
            self.mistakes.append((sys.maxsize, error.message))
            return path
        section, above = root, ""
        for name in parents:
            if not isinstance(section.value, dict):
                break
            above = _join(above, name)
            child = section.value.get(name)
            if child is None or not isinstance(child.value, (dict, list)):
                # Not there yet; or `optimizer: adam`, which is short for a section.
                inside = {"kind": child} if child and child.value is not None else {}
                child = section.value[name] = _Node(source, 0, inside)
            section = child
        if isinstance(section.value, dict):
            section.value[last] = node
        elif above:
            self.note(node, above, "a list; set it as a whole")
        return path

    def section(self, cls: Any, node: _Node, path: str, default: Any = None) -> Any:
        """An instance of the dataclass, or of a member of the family, `cls`, for an option with this default."""
        is_choice, section = issubclass(cls, Choice), node.value
        if section is None and not node.text:
            section = {}  # a title with nothing below it
        elif is_choice and isinstance(section, (str, int, float)):
            section = {"kind": node}  # `optimizer: adam`
        if not isinstance(section, dict):
            self.note(node, path, f"expected {_describe(cls)}, found {node.found}")
            return _INVALID
        if is_choice:
            cls = self.kind(cls, section, node, path, default)
            if cls is None:
                return _INVALID
        options, hints = _options(cls), _hints(cls)
        values: dict[str, Any] = {}
        meant = set()
        for key, child in section.items():
            if key in options:
                values[key] = self.value(hints[key], child, _join(path, key), options[key])
            elif not (is_choice and key == "kind"):
                close = _closest(key, [*options, "kind"] if is_choice else options)
                meant.add(close)
                known = ", ".join(options) or "none"
                self.note(child, _join(path, key), f"unknown key{_did_you_mean(close)} (known: {known})")
        for name, field in options.items():
            if name not in section and _default(field) is MISSING:
                values[name] = _INVALID
                if name not in meant:  # misspelt is not missing
                    expected = _describe(hints[name], _bounds(field))
                    self.note(node, _join(path, name), f"missing required key; expected {expected}")
        if any(value is _INVALID for value in values.values()):
            return _INVALID
        try:
            return cls(**values)
        except ValueError as error:  # a rule between fields: "size: must ..."
            name, _, problem = str(error).partition(": ")
            if name in options:
                self.note(section.get(name, node), _join(path, name), problem)
            else:
                self.note(node, path, str(error))
            return _INVALID

    def kind(self, family: type[Choice], section: dict[str, _Node], node: _Node, path: str, default: Any) -> Any:
        """The member of the family that the section asks for; None if there is none."""
        kinds = family.kinds()
        known = f"(known: {', '.join(kinds)})"
        chosen = section.get("kind")
        if chosen is None:
            kind = default.kind if isinstance(default, Choice) else family.default_kind()
            if kind is None:
                self.note(node, _join(path, "kind"), f"missing required key {known}")
                return None
            return kinds[kind]
        if chosen.text not in kinds:
            problem = f"unknown kind {chosen.found}{_did_you_mean(_closest(chosen.text, kinds))} {known}"
            self.note(chosen, path if chosen is node else _join(path, "kind"), problem)
        return kinds.get(chosen.text)

    def value(self, hint: Any, node: _Node, path: str, field: dataclasses.Field) -> Any:
        """What stands in `node`, as the type `hint`, for an option or an item of it."""
        members, bounds = _members(hint), _bounds(field)
        if node.value is None and types.NoneType in members:
            return None
        for member in members:
            if _is_section(member):
                return self.section(member, node, path, _default(field))
            if get_origin(member) in (list, tuple):
                return self.items(member, node, path, field)
        # Text comes last, because every scalar can be read as text.
        for member in sorted(members, key=lambda member: member is str):
            value = _scalar(member, node)
            if isinstance(value, (int, float)) and not bounds.hold(value):
                self.note(node, path, f"expected {_describe(hint, bounds)}, found {node.found}")
                return _INVALID
            if value is not _INVALID:
                return value
        words = [word for member in members if get_origin(member) is Literal for word in get_args(member)]
        close = _closest(node.text, [word for word in words if isinstance(word, str)])
        self.note(node, path, f"expected {_describe(hint)}, found {node.found}{_did_you_mean(close)}")
        return _INVALID

    def items(self, hint: Any, node: _Node, path: str, field: dataclasses.Field) -> Any:
        """The list or tuple in `node`; a single scalar stands for a list of one."""
        item, make = get_args(hint)[0], get_origin(hint)
        if isinstance(node.value, list):
            nodes = {f"{path}[{index}]": child for index, child in enumerate(node.value)}
        elif isinstance(node.value, (str, int, float)) and not _is_section(item):
            nodes = {path: node}
        else:
            self.note(node, path, f"expected {_describe(hint)}, found {node.found}")
            return _INVALID
        values = make([self.value(item, child, inside, field) for inside, child in nodes.items()])
        return _INVALID if _INVALID in values else values


def _scalar(hint: Any, node: _Node) -> Any:
    """The scalar in `node` as the type `hint`; _INVALID if it is not one."""
    value = node.value
    if isinstance(value, (dict, list)):
        return _INVALID
    if get_origin(hint) is Literal:
        for choice in get_args(hint):
            written = node.text if isinstance(choice, str) else value
            if type(choice) is type(written) and choice == written:
                return choice
    if hint is bool and isinstance(value, bool):
        return value
    if hint is str and isinstance(value, (str, int, float)):
        # As written, so that a file may be called 2024. A lone surrogate could be neither printed nor saved.
        return _INVALID if re.search("[\ud800-\udfff]", node.text) else node.text
    if hint is Duration and isinstance(value, str) and value and (match := _DURATION.fullmatch(value)):
        hours, minutes, seconds = (float(part or 0) for part in match.groups())
        value = 3600 * hours + 60 * minutes + seconds
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if hint is int and isinstance(value, int):
            return value
        if hint in (float, Duration) and abs(value) <= sys.float_info.max:
            return float(value)
    return _INVALID


# --- Writing ---


class _Dumper(yaml.SafeDumper):
    yaml_implicit_resolvers = _RESOLVERS

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_str(self, text: str) -> yaml.Node:
        # PyYAML writes some line breaks, such as U+0085, so that they come back as spaces; escaped they come back.
        return self.represent_scalar(_TAG + "str", text, style=None if text.isprintable() else '"')


_Dumper.add_representer(str, _Dumper.represent_str)


def _to_yaml(data: Any, flow: bool) -> str:
    return yaml.dump(
        data, Dumper=_Dumper, default_flow_style=flow, sort_keys=False, allow_unicode=True, width=sys.maxsize
    )


def _flow(data: Any) -> str:
    """Plain data as YAML in one line."""
    return _to_yaml([data], flow=True).strip()[1:-1]


def _pick(data: Any, path: str) -> str:
    """What stands at `path` in plain data, for a message."""
    for name in path.split("."):
        if not isinstance(data, dict) or name not in data:
            return "unset"
        data = data[name]
    return _flow(data)


# --- Words of messages ---


def _join(path: str, key: str) -> str:
    return f"{path}.{_shown(key)}" if path else _shown(key)


def _shown(text: str) -> str:
    """Text from a user, in one line."""
    return text if text and text.isprintable() else repr(text)


def _clipped(text: str, length: int = 60) -> str:
    return text if len(text) <= length else f"{text[:length]}..."


def _closest(word: str, known: Iterable[str]) -> str:
    """The known word that was probably meant; empty if none was."""
    return next(iter(difflib.get_close_matches(word[:100], list(known), n=1)), "")


def _did_you_mean(word: str) -> str:
    return f"; did you mean '{word}'?" if word else ""

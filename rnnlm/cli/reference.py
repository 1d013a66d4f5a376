"""The reference of all options of a configuration, from its dataclasses: as rows for the terminal, and as Markdown."""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import re
from collections.abc import Iterator
from typing import Any, NamedTuple, get_args

from rnnlm.config import HINT, Choice, Option, dump, is_section, options, plain
from rnnlm.errors import UsageError
from rnnlm.files import one_line


class Row(NamedTuple):
    """One line of the reference: an option, or a kind of section."""

    path: str  # "model[lm].cell[lstm].size" is the option model.cell.size of the kinds lm and lstm
    type: str  # empty for a kind
    default: str  # as it is written in YAML; "required" if there is none
    range: str
    doc: str

    @property
    def name(self) -> str:
        """The path as an override has it, without kinds; a kind keeps its own: "model.cell[lstm]"."""
        return re.sub(r"\[\w+\]\.", ".", self.path)

    @property
    def facts(self) -> str:
        """Type, range and default: "integer, at least 1, default 10"."""
        default = self.default if self.default in ("", "required") else f"default {self.default}"
        return ", ".join(part for part in (self.type, self.range, default) if part)

    def is_at(self, path: str) -> bool:
        """Whether this is the row of `path`, in which kinds may be left out, or of something inside it."""
        wanted, names = path.split(".") if path else [], self.path.split(".")
        matches = (part in (name, name.partition("[")[0]) for part, name in zip(wanted, names))
        return len(wanted) <= len(names) and all(matches)


def explain(cls: type, path: str = "") -> list[Row]:
    """The reference of the options of the dataclass `cls`: of all, or of those at and below `path`.

    The default kind comes first. Raises UsageError, with the full names that may be meant, if nothing has that path.
    """
    if rows := list(_unique_rows(cls, path)):
        return rows
    names = [row.name for row in _unique_rows(cls, "")]
    exact = [name for name in names if path in re.split(r"[.[\]]", name)[-2:]]  # an option or a kind of that name
    close = difflib.get_close_matches(path[:100], [row.name for row, _ in _rows(cls, "", {})], n=1)
    meant = list(dict.fromkeys([*exact, *(name for name in names if path in name)]))[:5] or close
    suggestion = f"; did you mean {' or '.join(f'{name!r}' for name in meant)}?" if meant else ""
    raise UsageError(f"{one_line(path)}: no such option{suggestion}", HINT)


def markdown(cls: type) -> str:
    """The reference of the options of the dataclass `cls` as Markdown: a table for each section and each kind."""
    tables: dict[str, list[str]] = {}
    for row in explain(cls):
        doc = re.sub(r"([|<*])", r"\\\1", row.doc)
        if not row.type:  # a kind
            tables[row.path] = [f"{'#' * (2 + row.path.count('.'))} `{row.name}`", "", doc, ""]
            continue
        above = row.path.rpartition(".")[0]
        table = tables.setdefault(above, [f"## `{above}`" if above else "## Sections and single options", ""])
        if not table[-1]:
            table += ["| option | type | default | meaning |", "|---|---|---|---|"]
        default = row.default if row.default in ("", "required") else f"`{row.default}`"
        facts = ", ".join(part for part in (row.type, row.range) if part)
        table.append(f"| `{row.path.rpartition('.')[2]}` | {facts} | {default} | {doc} |")
    return "\n\n".join("\n".join(table).strip() for table in tables.values()) + "\n"


def _unique_rows(cls: type, path: str) -> Iterator[Row]:
    """The rows at and below `path`; what many options share, such as an initializer, only where it is met first."""
    first: dict[type, str] = {}
    for row, sections in _rows(cls, "", {}):
        if row.is_at(path) and all(first.setdefault(section, at) == at for section, at in sections.items()):
            yield row


def _rows(cls: type, at: str, above: dict[type, str]) -> Iterator[tuple[Row, dict[type, str]]]:
    """The rows of a dataclass that stands `at` a path, each with the sections that it stands in and their paths."""
    for name, option in options(cls).items():
        inside = f"{at}.{name}".lstrip(".")
        expected = re.sub(r"^an? | \(known: .*\)", "", str(Option(option.type)))
        yield Row(inside, expected, _written(option.default), option.range, option.doc), above
        parts = [part for member in option.members for part in (member, *get_args(member))]
        for section in parts:
            if not is_section(section) or section in above:  # a cell made of cells
                continue
            sections = above | {section: inside}
            if not issubclass(section, Choice):
                yield from _rows(section, inside, sections)
                continue
            usual = getattr(option.default, "kind", None) or section.default_kind()
            for kind, member in sorted(section.kinds().items(), key=lambda item: item[0] != usual):
                doc = (inspect.getdoc(member) or "").partition("\n\n")[0]
                yield Row(f"{inside}[{kind}]", "", "", "", " ".join(doc.split())), sections
                yield from _rows(member, f"{inside}[{kind}]", sections)


def _written(default: Any) -> str:
    """A default as YAML in one line; empty for a section in which every option has its own default."""
    if default is dataclasses.MISSING:
        return "required"
    brief = _brief(default)
    return "" if brief == {} else dump(brief, flow=True)


def _brief(value: Any) -> Any:
    """A default as plain data, without what would be the same if it were left out."""
    if not dataclasses.is_dataclass(value):
        return plain(value)
    found = {name: (getattr(value, name), option.default) for name, option in options(value.__class__).items()}
    brief = {name: _brief(value) for name, (value, default) in found.items() if value != default}
    if isinstance(value, Choice):
        return {"kind": value.kind} | brief if brief else value.kind
    return brief

"""YAML 1.2 by way of PyYAML: nodes from text, with their lines, and text from plain data. Nothing is constructed."""

from __future__ import annotations

import functools
import math
import re
import sys
from collections.abc import Callable
from typing import Any

import yaml

from rnnlm.errors import UsageError

NOWHERE = 10**9  # the line of what has none, such as an override

# The scalars of YAML 1.2: what a plain one means when it is read, and which text needs quotes when it is written.
# Python's int() takes no more than 4300 digits; a longer number is a float, and too large for one.
SCALARS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "null": (r"~|null|Null|NULL|", lambda text: None),
    "bool": (r"true|True|TRUE|false|False|FALSE", lambda text: text.lower() == "true"),
    "int": (r"[-+]?[0-9]{1,4000}", int),
    "float": (r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", float),
}
TAG = "tag:yaml.org,2002:"
_RESOLVERS = {None: [(TAG + name, re.compile(rf"(?:{pattern})\Z")) for name, (pattern, _) in SCALARS.items()]}


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers = _RESOLVERS


class _Dumper(yaml.SafeDumper):
    yaml_implicit_resolvers = _RESOLVERS

    def represent_str(self, text: str) -> Any:
        # PyYAML writes some line breaks, such as U+0085, so that they come back as spaces; escaped they come back.
        return self.represent_scalar(TAG + "str", text, style=None if text.isprintable() else '"')

    yaml_representers = yaml.SafeDumper.yaml_representers | {str: represent_str}


to_yaml = functools.partial(yaml.dump, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=sys.maxsize)


def compose(text: str, source: str, line: int = 0) -> Any:
    """The root node of a YAML text, whose marks name `source`; None for an empty text. Raises UsageError."""
    try:
        loader = _Loader(text)
        loader.name, loader.line = source, line
        return loader.get_single_node()
    except yaml.reader.ReaderError as error:
        line += text.count("\n", 0, error.position)
        problem = f"the character U+{error.character:04X} is not allowed"
    except yaml.MarkedYAMLError as error:
        begun = f" (line {error.context_mark.line + 1})" if error.context_mark and not line else ""
        problem = f"{error.context}{begun}, {error.problem}" if error.context else error.problem
        line = error.problem_mark.line
    except (RecursionError, ValueError, OverflowError) as error:
        # PyYAML calls itself for each level, hands "\UFFFFFFFF" to chr(), and the digits of a version to int().
        problem = "nested too deeply" if isinstance(error, RecursionError) else "a number out of range"
        line = loader.line
    hint = "look at the indentation and the brackets, and put quotes around text that has special characters"
    raise UsageError(f"{place(source, line)}: not valid YAML: {problem}", hint)


def scalar(node: Any) -> Any:
    """The value of a scalar node: None, a bool, an int, a float or text. The children of any other node."""
    name, text = node.tag.removeprefix(TAG), node.value
    pattern, read = SCALARS.get(name, ("", str))
    return read(text) if isinstance(text, str) and re.fullmatch(pattern, text) else text


def number(text: str) -> float | None:
    """The number that `text` is in a configuration, such as 1e-1; None if it is something else, such as a file name."""
    value = float(text) if re.fullmatch(SCALARS["float"][0], text) else math.inf
    return value if math.isfinite(value) else None


def place(source: str, line: int) -> str:
    return source if line >= NOWHERE else f"{source}:{line + 1}"

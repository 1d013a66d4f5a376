"""The architecture: who may import whom, and what `--help` may load."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from rnnlm.cli import COMMANDS

PACKAGE = Path(__file__).parent.parent / "rnnlm"

# Data flows one way: a module imports from its own package and from those above it in this list.
UNITS = (
    "errors encodings files config corpora text nn lm tasks training experiment recipes loading session compat show"
    " report cli"
)
DEPTH = {unit: depth for depth, unit in enumerate(UNITS.split())}
SOURCES = sorted(path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE or not path.stem.startswith("__"))


def name_of(path):
    """rnnlm/cells/base.py -> rnnlm.nn.cells.base; rnnlm/cells/__init__.py -> rnnlm.nn.cells."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path):
    """The modules that a file imports, anywhere in it; `from rnnlm import config` is rnnlm.config."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            if node.module == "rnnlm":
                yield from (f"rnnlm.{alias.name}" for alias in node.names if not alias.name.startswith("__"))
            else:
                yield node.module


every_source = pytest.mark.parametrize("path", SOURCES, ids=name_of)


@every_source
def test_data_flows_one_way(path):
    own = DEPTH[name_of(path).split(".")[1]]
    units = {module.split(".")[1] for module in imports(path) if module.startswith("rnnlm.")}
    assert {unit for unit in units if DEPTH[unit] > own} == set()


@every_source
def test_only_the_command_line_talks_to_the_user(path):
    if name_of(path).startswith("rnnlm.cli"):
        return
    assert {"click", "tqdm"}.isdisjoint(module.split(".")[0] for module in imports(path))
    calls = (node.func for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call))
    assert not any(isinstance(function, ast.Name) and function.id == "print" for function in calls)


KINDS = [path for path in SOURCES if path.parent.name in ("cells", "heads", "models") and path.stem != "__init__"]


@pytest.mark.parametrize("path", KINDS, ids=name_of)
def test_kinds_meet_through_the_protocol(path):
    """No cell knows another cell, no model knows a cell or head by name, except as a default.

    Heads are built on the softmax; models share embedding, output layer and decoder.
    """
    names = ("base", "padding", "dropconnect", "truncated", "leaking", "zoneout")
    cells = {f"rnnlm.nn.cells.{name}" for name in names}
    known = {
        "cells": cells,
        "heads": {"rnnlm.nn.cells.base", "rnnlm.nn.heads.base", "rnnlm.nn.heads.softmax"},
        "models": {"rnnlm.nn.cells.base", "rnnlm.nn.cells.padding", "rnnlm.nn.cells.vanilla", "rnnlm.nn.heads"}
        | {f"rnnlm.nn.models.{name}" for name in ("base", "folded", "embedded", "output", "decoder")},
    }
    families = ("rnnlm.nn.cells", "rnnlm.nn.heads", "rnnlm.nn.models")
    found = {module for module in imports(path) if module.startswith(families)}
    assert found <= known[path.parent.name]


HELP = """
import sys
from rnnlm.cli import main
try:
    main(sys.argv[1:])
finally:
    if "numpy" in sys.modules:
        print("NumPy was loaded", file=sys.stderr)
"""


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_loads_no_numpy(command):
    arguments = [command, "--help"] if command else ["--help"]
    done = subprocess.run([sys.executable, "-c", HELP, *arguments], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Usage: rnnlm {command}".rstrip())

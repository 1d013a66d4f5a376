"""Recipes: configurations by name, without NumPy.

The recipes are the files of the folder configs/ of the repository, which the wheel holds as rnnlm/configs.
"""

from __future__ import annotations

import difflib
import glob
from pathlib import Path

from rnnlm import config
from rnnlm.errors import UsageError
from rnnlm.files import OF_A_RUN, STDIN, is_stream, keep, one_line, read_text

SUFFIXES = (".yaml", ".yml")
KEYS = {"data", "model", "optimizer", "schedule", "training", "seed", "dtype"}  # sections of a configuration


def recipes() -> dict[str, Path]:
    """The files of the recipes, by name."""
    here = Path(__file__).parent.parent
    folder = next((path for path in (here / "configs", here.parent / "configs") if path.is_dir()), here)
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def about(path: Path) -> str:
    """The first sentence of a recipe's comment."""
    comment = " ".join(line[1:].strip() for line in path.read_text("utf-8").splitlines() if line.startswith("#"))
    return comment.split(". ")[0].removesuffix(".")


def config_file(path: str | Path) -> Path:
    """The configuration that a path means: a file itself, that of a run directory, or else a recipe's by its name."""
    path = Path(path)
    if path.is_dir():
        if not (path / "config.yaml").exists():
            raise UsageError(
                f"{path}: no config.yaml in this directory",
                "expected a YAML file, or a run directory; to train on the texts in a folder: --train FOLDER",
            )
        return path / "config.yaml"
    if path.exists():
        return path
    known, name = recipes(), one_line(str(path))
    if str(path) in known:
        return known[str(path)]
    if path.suffix in SUFFIXES and path.stem in known:
        hint = f"the recipe of this name is part of rnnlm: rnnlm train {path.stem}"
        raise UsageError(f"{name}: no such file (tried {path.absolute()})", hint)
    if path.suffix or path.parent != Path():
        return path  # whoever reads it says that it is missing
    close = difflib.get_close_matches(name, known, n=1)
    meant = f"; did you mean '{close[0]}'?" if close else ""
    raise UsageError(f"{name}: no such file, and no recipe of this name{meant}", "`rnnlm config list` shows the names")


def run_name(text: str) -> str:
    """The name of the run that trains on a text, pattern or folder: books for books.txt, books/*.txt and books/."""
    path = Path(text).expanduser()
    if text == STDIN or is_stream(path):
        return "text"
    while glob.has_magic(path.name) and not path.exists():
        path = path.parent
    return path.absolute().stem


def is_text(path: Path) -> bool:
    """Whether what `rnnlm train` is given is no configuration but a text to train on: a file, pattern or folder."""
    if str(path) == STDIN:
        return True
    path = path.expanduser()
    if path.is_dir():
        files = list(path.iterdir())
        others = any(file.name in OF_A_RUN or file.suffix in SUFFIXES for file in files)
        return bool(files) and not others and path != Path()  # which is what an unset variable of the shell comes to
    if not path.exists():
        return glob.has_magic(str(path))
    if path.suffix in SUFFIXES:
        return False
    keep(path)  # a pipe, which is read again
    try:
        keys = config.sections(read_text(path, config.MAX_BYTES, ""))
    except UsageError:  # too long, or not UTF-8
        return True
    return KEYS.isdisjoint(keys)

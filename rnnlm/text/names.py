"""Texts that a name stands for: a file, all that a pattern with `*` matches, or all texts in a folder."""

from __future__ import annotations

import glob
import os
import warnings
from collections.abc import Iterable, Sequence

from rnnlm.errors import DataError, TextWarning
from rnnlm.files import OF_A_RUN, STDIN, is_stream, one_line
from rnnlm.text.lines import TextPath, other_than_text, text_name

LISTED = 3  # names in a message, at most


def texts(names: Iterable[str]) -> list[str]:
    """Paths of the texts that names stand for, one after the other; "-" and the name of a file stand for themselves.

    `~` and `~name` are home folders. A name with `*`, `?` or `[...]`, of which there is no file, is a pattern: it
    stands for the files that it matches, sorted by path; `**` is folders of any depth. A folder stands for the texts in
    it and in its folders, sorted by path, without hidden ones and run directories; a TextWarning says which files are
    left out, because their first bytes are no text's. A file that is missing is left to whoever reads it.

    Raises DataError for a pattern that matches no file, and for a folder without texts.
    """
    return [path for name in names for path in _texts(name)]


def _texts(name: str) -> Sequence[str]:
    if name == STDIN or is_stream(name) or os.path.isfile(name):
        return [name]
    path = os.path.expanduser(name)
    if name and os.path.isdir(path):
        return _texts_in(path)
    if os.path.exists(path) or not glob.has_magic(path):
        return [path]
    found = sorted(file for file in glob.glob(path, recursive=True) if os.path.isfile(file))
    if not found:
        raise DataError(
            f"{one_line(name)}: no file matches this pattern (tried {os.path.abspath(path)})",
            "* matches any characters, ? one, [...] one of these, ** folders of any depth",
        )
    return found


def _texts_in(folder: str) -> list[str]:
    kinds = {path: other_than_text(path) for path in _files_in(folder)}
    found = [path for path, what in kinds.items() if what is None]
    others = [f"{os.path.relpath(path, folder)} ({what})" for path, what in kinds.items() if what is not None]
    if not found:
        held = f"holds no text but {_some(others)}" if others else "is a folder without files"
        raise DataError(f"{folder}: {held}", "name a text, or a folder with texts in it; hidden files are not read")
    if others:
        number = f"{len(found)} text{'s' * (len(found) > 1)}"
        warnings.warn(TextWarning(f"{folder}: {number} in this folder; left out: {_some(others)}"), stacklevel=3)
    return found


def _files_in(folder: str) -> list[str]:
    """Files in a folder and its folders, sorted by path; neither hidden ones nor those of run directories."""
    found = []
    for place, folders, files in os.walk(folder):
        if not OF_A_RUN.isdisjoint(files):
            folders[:] = []
            continue
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [os.path.join(place, name) for name in files if not name.startswith(".")]
    return sorted(path for path in found if os.path.isfile(path))


def joined(paths: Sequence[TextPath]) -> str:
    """Names of texts that are read as one, for reports and messages; of many, the first and the last."""
    names = [text_name(path) for path in paths]
    return " + ".join(names) if len(names) <= LISTED else f"{names[0]} + ... + {names[-1]} ({len(names)} texts)"


def _some(names: Sequence[str]) -> str:
    more = [f"{len(names) - LISTED} more"] if len(names) > LISTED else []
    return ", ".join([*names[:LISTED], *more])

"""CONTRIBUTING's table of what can happen: every row names a test, which says what the row says."""

import ast
import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent
TABLE = HERE.with_name("CONTRIBUTING.md").read_text().partition("## What can happen")[2].partition("\n## ")[0]
ROWS = [
    tuple(cell.strip() for cell in line.strip("|").split("|"))
    for line in TABLE.splitlines()
    if line.startswith("| ") and not line.startswith("| case ")
]
RAISED = {"1": "DataError", "2": "UsageError", "3": "NumericalError"}  # by tests of the library
CASES = """
killed at random moments, again and again; killed while a checkpoint is written; the last checkpoint damaged;
the best model damaged; both checkpoints damaged; Ctrl-C; SIGTERM; a second Ctrl-C; the disk full;
the run directory read-only; the run directory removed; two trainings in one directory;
the lock of a process that died; a closed pipe;
a loss that is not finite; a gradient that is not finite; a validation entropy that is not finite;
divergence from weights that were bad already; divergence without end; warnings of NumPy; extreme logits;
all logits equal; a vocabulary of one word; a corpus of one word; a model whose probabilities overflow;
odd text, files that are none, long lines, long sentences, many empty lines, bombs;
a FIFO as configuration; a directory or a device as output; an existing file as output;
a pickled array in a model; a pickled array in a file of vectors; a YAML tag that would run code; a zip bomb as model;
an array's header that lies; weights of other shapes; a flipped bit in a model; another format version;
weights that are not finite; more parameters than memory; a path in a model; a path in an archive; a forged cache;
a broken vocabulary file; a download over another protocol; a redirection to plain http; a download with other content;
a download that broke off; the same seed; the environment; a text that has changed since training;
a vocabulary that has changed since training
"""


def source(place):
    """The source of a test, its decorators included, from `file::name`."""
    file, _, name = place.partition("::")
    text = (HERE / f"{file}.py").read_text()
    (found,) = (node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef) and node.name == name)
    first = min([found.lineno, *(decorator.lineno for decorator in found.decorator_list)])
    return "\n".join(text.splitlines()[first - 1 : found.end_lineno])


def test_every_case_is_in_the_table():
    assert [case for case, *_ in ROWS] == [case.strip() for case in re.split(r";\s", CASES.replace("\n", " "))]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_row_says_what_its_test_says(row):
    _, outcome, status, test = row
    found = source(test.strip("`"))
    for message in re.findall("`([^`]+)`", outcome):
        assert message.replace("\\", "") in found.replace("\\", "")
    for number in re.findall(r"\d+", status):
        assert re.search(rf"\b{number}\b", found) or RAISED[number] in found

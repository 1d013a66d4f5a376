"""The embedded corpus: what becomes of markup, what is dropped, and that no document or sentence is in two parts."""

import itertools
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from rnnlm.corpora.python_docs import MARKS, PARTS, build, packages, part_of, sentences
from rnnlm.errors import DataError


def lines(text):
    return [" ".join(tokens) for tokens in sentences(text)]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Open the file.", "open the file ."),
        ("Open the file", "open the file"),  # a summary may end without a mark
        ("One thing to do:", "one thing to do :"),
        ("Is (this) right?", "is ( this ) right ?"),
        ("Wrapped over\ntwo lines.", "wrapped over two lines ."),
        ("* An item\n  goes on here.", "an item goes on here ."),
        (":param name: Whom to greet first.", "whom to greet first ."),
        ("Call :func:`~os.path.join` or ``os.walk()`` again.", "call join or walk again ."),
        ("See :class:`the book <books.Book>` for more.", "see the book for more ."),
        ("Uses *args*, **kwargs** and 'x' or \"y\" [1].", "uses args , kwargs and x or y ."),
        ("Like f(x, g(y))[0] and a[i] do.", "like f and a do ."),
        ("The key of sys.path is in setup.py today.", "the key of path is in setup.py today ."),
        ("Wait 3.5 or 0x1F or -2 seconds.", "wait N or N or N seconds ."),
        ("A 3-tuple in utf-8, the 4th.", "a N-tuple in utf-8 , the Nth ."),
        ("It isn't Python\u2019s file\u2014e.g. Yours is.", "it isn't python 's file -- e.g. yours is ."),
        ("Read and/or write __init__ twice.", "read and / or write __init__ twice ."),
    ],
)
def test_a_sentence_becomes_tokens(text, line):
    assert lines(text) == [line]


@pytest.mark.parametrize(
    "text",
    [
        "Two words.",
        "Set x = y + 1 there.",
        "Write to someone@example.org about it.",
        "See https://example.org/page for more.",
        "Pass --help to the program.",
        "Delete /dev/null with care.",
        "An opening ( is not closed.",
        "Caf\u00e9 is not ASCII.",
        "for item in things:",
        "Interactive session heading\n===========================",
        "+------+-----+\n| Name | Use |\n+------+-----+",
    ],
)
def test_what_does_not_read_as_english_is_dropped(text):
    assert lines(text) == []


def test_sessions_and_literal_blocks_are_dropped_and_the_text_around_them_is_kept():
    text = """\
Summary of the thing

    >>> thing("a session is not text.")
    'Nor is what it prints.'

The next paragraph shows code::

    This looks like text. But it is literal.

        So is this line of it.

Here the text goes on. And on (and
on.) Last words here

Name of an option    Its meaning.
"""
    assert lines(text) == [
        "summary of the thing",
        "the next paragraph shows code :",
        "here the text goes on .",
        "and on ( and on . )",
        "name of an option its meaning .",
    ]


def write(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


LIBRARY = {
    "b.py": '''
"""The last module of all."""
def f():
    """Do the first thing."""
    def g():
        """Do an inner thing."""
''',
    "a/c.py": '''
try:
    import x
except ImportError:
    class C:
        """Stand in for it."""
''',
    "a/__init__.py": '''
"""A package of things.

Do the: first thing!
"""
ESCAPE = "\\d"
''',
    "pydoc_data/topics.py": r"topics = {'loop': 'Loops\n*****\n\nA loop goes round.\n', 'if': 'A choice is made.'}",
    "test/test_b.py": '"""A test of the module."""',
    "site-packages/d.py": '"""A package from elsewhere."""',
    "data.txt": '"""Not a Python file."""',
}


def test_a_library_becomes_documents_in_the_order_of_their_names(tmp_path):
    told = []
    parts, notes = build(write(tmp_path, LIBRARY), progress=lambda done, total: told.append((done, total)))
    expected = {part: [] for part in PARTS}
    for document, sentence in [
        ("a/__init__", "a package of things ."),
        ("a/__init__", "do the : first thing !"),  # so the same words in b are dropped
        ("a/c", "stand in for it ."),
        ("b", "the last module of all ."),
        ("b", "do an inner thing ."),
        ("topics/if", "a choice is made ."),
        ("topics/loop", "a loop goes round ."),
    ]:
        expected[part_of(document)].append(sentence)
    assert parts == expected
    assert notes == []
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_what_cannot_be_read_is_said_and_skipped(tmp_path):
    write(tmp_path, {"good.py": '"""All is well here."""', "old.py": 'print "old"'})
    parts, notes = build(tmp_path)
    assert [*parts["train"], *parts["valid"], *parts["test"]] == ["all is well here ."]
    assert [note.split(": ")[:2] for note in notes] == [
        [str(tmp_path / "old.py"), "skipped"],
        [str(tmp_path), "no pydoc_data/topics.py"],
    ]


def test_a_library_without_sources_is_an_error(tmp_path):
    with pytest.raises(DataError) as caught:
        build(tmp_path)
    assert caught.value.message.startswith(f"{tmp_path}: found no documentation")
    assert "interpreter" in caught.value.hint


def test_the_text_does_not_depend_on_the_order_of_sets():
    library = Path(sysconfig.get_path("stdlib"), "email")
    script = f"from rnnlm.corpora import python_docs; print(python_docs.build({str(library)!r})[0])"
    printed = {
        subprocess.run(
            [sys.executable, "-c", script], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in "12"
    }
    assert len(printed) == 1


def test_the_running_interpreter_has_a_corpus_worth_training_on(documentation):
    parts = documentation
    words = {part: [word for line in lines for word in line.split()] for part, lines in parts.items()}
    total = sum(map(len, words.values()))
    assert 150_000 < total < 500_000
    assert 0.85 < len(words["train"]) / total < 0.95
    assert min(len(words["valid"]), len(words["test"])) > 0.02 * total
    assert len(set(words["train"])) < 15_000

    known = set(words["train"])
    assert sum(word not in known for word in words["test"]) < 0.06 * len(words["test"])

    everything = [line for lines in parts.values() for line in lines]
    assert len({" ".join(word for word in line.split() if word not in MARKS) for line in everything}) == len(everything)
    assert all(len(line.split()) >= 3 and line.isascii() for line in everything)


def test_documents_are_shared_out_by_name_about_90_to_5_to_5():
    parts = [part_of(f"module{i}") for i in range(2000)]
    assert [parts.count(part) for part in PARTS] == pytest.approx([1800, 100, 100], abs=40)


def test_packages_are_shared_out_by_documents(tmp_path):
    sizes = {"a": [30, 9, 9, 9, 9, 9, 9, 9, 4], "b": [9] * 4, "c": [20] * 20}  # sentences; b has too few documents
    words, files = iter(itertools.product("abcdefgh", repeat=4)), {"top.py": '"""A module of its own here."""'}
    for package, documents in sizes.items():
        for i, n in enumerate(documents):
            lines = [f"See {' '.join(next(words))} ." for _ in range(n)]
            files[f"{package}/m{i}.py"] = '"""' + "\n\n".join(lines) + '"""'
    parts, _ = packages(write(tmp_path, files))
    found = {part: [line.split("\t") for line in lines] for part, lines in parts.items()}
    assert {label for lines in found.values() for label, _ in lines} == {"a", "c"}
    count = {part: [sum(label == one for label, _ in lines) for one in "ac"] for part, lines in found.items()}
    assert count == {"train": [93 - 36, 320], "valid": [18, 40], "test": [18, 40]}  # 4 sentences are too few as well
    together = [text for lines in found.values() for _, text in lines]
    assert len(set(together)) == len(together) == 493

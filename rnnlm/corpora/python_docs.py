"""The corpora python-docs and python-packages: the English of the documentation of the running interpreter.

Every docstring of the standard library and every topic of `help()` (`pydoc_data.topics`), read from source with `ast`;
nothing is imported; tests and bundled packages are left out. The rule from documentation to text, a sentence a line:

1. Interactive sessions, literal blocks after `::` and underlined headings are dropped. What remains is cut into
   paragraphs at blank lines, list items and changes of indentation.
2. Markup goes: roles, backquotes, asterisks, quotation marks, footnote marks, ellipses. What stands in brackets right
   after a name goes too (`f(x)` and `a[i]` become `f` and `a`), and a dotted name keeps its last part (`os.path.join`
   becomes `join`; file names stay whole).
3. Paragraphs are cut into sentences. A sentence ends in `.`, `!`, `?` or, if it starts with a capital, in `:`. Only the
   first paragraph of a docstring, its summary, may go without.
4. Sentences are cut into tokens: words (with hyphens, apostrophes and underscores inside), the possessive `'s`, and the
   marks `. , : ; ! ? ( ) / --`. All is lower case, and every number is `N`.
5. Dropped are sentences with any other character (code, arithmetic, addresses), with unpaired brackets, with fewer than
   three words, and those whose words are the words of an earlier sentence, in whatever document.

A module's docstrings are one document, a topic is one document. A hash of its name sends a document to train, valid or
test, about 90 : 5 : 5; so no document is in two parts, and by rule 5 no sentence is. Everything is in the order of the
documents' names: the text depends on the interpreter's library alone.
"""

from __future__ import annotations

import ast
import hashlib
import os
import re
import sysconfig
import warnings
from collections.abc import Iterator
from pathlib import Path

from rnnlm.corpora import PARTS, Progress
from rnnlm.errors import DataError

TOPICS, TOPICS_OF = "pydoc_data/topics", "topics"
PACKAGE, DOCUMENT = 5, 5  # least documents of a package, and sentences of a document, for `packages`
LEFT_OUT = {"__pycache__", "_bundled", "dist-packages", "idle_test", "lib-dynload", "site-packages", "test", "tests"}

TYPOGRAPHY = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "–": "--", "—": " -- ", "…": "...", "•": "*"})
SESSION = re.compile(r"^ *>>>.*(?:\n *\S.*)*", re.M)
LITERAL = re.compile(r"^( *)(.*::)\n(?: *\n|\1 +\S.*(?:\n|\Z))*", re.M)
HEADING = re.compile(r"^.*\n *([^\w\s])\1{2,} *$", re.M)
ITEM = re.compile(r" *(?:[-*+o]|\d+[.)]|\(\w{1,2}\)|[:@]\w[^:]*:) +(?=\S)")  # bullets, numbers, `:param x:`
MARKUP = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r":[\w:]+:`~?([^`<]*)(?: <[^`]*>)?`", r"\1"),  # :func:`f`, :class:`text <target>`
        (r"\[\d+\]_?|\.\.\.+", " "),  # footnotes, ellipses
        (r"[`\"]|(?<!\w)'|'(?!\w)", ""),  # quotation marks, but not apostrophes
        (r"(?<=\w)(?:\([^()]*(?:\([^()]*\)[^()]*)*\)|\[[^][]*\])+", ""),  # f(x), f(g(x)), a[i]
        (r"(?<!\w)\*+(?=\w)|(?<=[\w.:])\*+(?!\w)", ""),  # *emphasis*, **strong**
        (r"::", ":"),
        # the front of dotted names, but not of file names
        (r"(?<!\w)(?!e\.g\.|i\.e\.)\.?(?:[A-Za-z_]\w*\.)*(?=[A-Za-z_])(?!(?i:cfg|com|exe|html|ini|org|py|txt)\b)", ""),
    )
]
SENTENCE_END = re.compile(r"(?:(?<=[.!?])(?<!e\.g\.)(?<!i\.e\.)(?<!cf\.)(?<!vs\.)(?<!etc\.)|(?<=[.!?]\))) +(?=\(?\w)")
NUMBER = re.compile(r"(?<![\w-])-?(?:0x[0-9a-f]+|\d+(?:[.,]\d+)*)")
WORD = re.compile(r"e\.g\.|i\.e\.|[A-Za-z_]\w*(?:\.[a-z]+)?(?:-\w+)*(?:'(?!s\b)[a-z]+)?", re.A)
MARKS = {".", ",", ":", ";", "!", "?", "(", ")", "/", "--", "'s"}
TOKEN = re.compile(rf"{WORD.pattern}|'s\b|(?<!\S)--(?!\S)|(?<!\w)/\S+|\S", re.A)


Built = tuple[dict[str, list[str]], list[str]]


def build(library: str | Path | None = None, progress: Progress = lambda done, total: None) -> Built:
    """Corpus of the source files in the folder `library`, by default that of the running interpreter.

    Returns the sentences of train, valid and test, tokens separated by blanks, and a note for each thing that was not
    there or could not be read. `progress(done, total)` is told of every file. Raises DataError when there is nothing to
    read.
    """
    found, notes = read(library, progress)
    parts: dict[str, list[str]] = {part: [] for part in PARTS}
    for name, line in lines(found):
        parts[part_of(name)].append(line)
    return parts, notes


def packages(library: str | Path | None = None, progress: Progress = lambda done, total: None) -> Built:
    """Sentences of python-docs, each with the package that it comes from in front: `package<TAB>sentence`.

    Only packages of PACKAGE or more documents with DOCUMENT or more sentences are in it, and no topics. In the order of
    a hash of their names, documents go to test until it has a tenth of the package's sentences, then to validation
    likewise, then to training; a document of more than a fifth of its package trains in any case.
    """
    found, notes = read(library, progress)
    documents: dict[str, dict[str, list[str]]] = {}
    for name, line in lines(found):
        package, inside, _ = name.partition("/")
        if inside and package != TOPICS_OF:
            documents.setdefault(package, {}).setdefault(name, []).append(line)
    parts: dict[str, list[str]] = {part: [] for part in PARTS}
    for package, texts in sorted(documents.items()):
        texts = {name: texts[name] for name in sorted(texts, key=ball_of) if len(texts[name]) >= DOCUMENT}
        if len(texts) < PACKAGE:
            continue
        total, sizes = sum(map(len, texts.values())), {"test": 0, "valid": 0}
        for found_lines in texts.values():
            small = len(found_lines) <= total / 5
            part = next((part for part in sizes if small and sizes[part] < total / 10), "train")
            parts[part] += [f"{package}\t{line}" for line in found_lines]
            if part in sizes:
                sizes[part] += len(found_lines)
    return parts, notes


def read(library: str | Path | None, progress: Progress) -> tuple[dict[str, list[str]], list[str]]:
    """Texts of each document by its name, and notes. Raises DataError when there is nothing to read."""
    library = Path(library or sysconfig.get_path("stdlib"))
    documents: dict[str, list[str]] = {}
    notes = []
    files = source_files(library)
    for done, file in enumerate(files, 1):
        name = file.relative_to(library).with_suffix("").as_posix()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # old escapes like "\d": a warning turned error would drop the file
                tree = ast.parse(file.read_bytes())
            if name == TOPICS:  # the topics of `help()`, in one dict
                values = (ast.literal_eval(one.value) for one in tree.body if isinstance(one, ast.Assign))
                documents |= {f"{TOPICS_OF}/{topic}": [text] for topic, text in next(values, {}).items()}
            else:
                documents[name] = list(docstrings(tree))
        except (OSError, SyntaxError, ValueError) as error:
            notes.append(f"{file}: skipped: {error}")
        progress(done, len(files))
    if library / f"{TOPICS}.py" not in files:
        notes.append(f"{library}: no {TOPICS}.py: the text comes from docstrings alone")

    if not any(True for _ in lines(documents)):
        raise DataError(
            f"{library}: found no documentation in {len(files)} Python files",
            "this interpreter comes without the source of its library; use one that has it",
        )
    return documents, notes


def lines(documents: dict[str, list[str]]) -> Iterator[tuple[str, str]]:
    """Each sentence and the name of its document, in the order of the names; none whose words were there before."""
    seen = set()
    for name in sorted(documents):
        for text in documents[name]:
            for tokens in sentences(text):
                words = " ".join(filter(WORD.match, tokens))
                if words not in seen:
                    seen.add(words)
                    yield name, " ".join(tokens)


def part_of(document: str) -> str:
    """The part that a document belongs to; its name alone decides."""
    return {0: "test", 1: "valid"}.get(ball_of(document) % 20, "train")


def ball_of(document: str) -> int:
    """Number drawn for a document, on which its part depends: a hash of its name."""
    return int(hashlib.sha256(document.encode()).hexdigest(), 16)


def source_files(library: Path) -> list[Path]:
    """Every Python file of the library but for tests and bundled packages."""
    files = []
    for folder, subfolders, names in os.walk(library):
        subfolders[:] = set(subfolders) - LEFT_OUT
        files += [Path(folder, name) for name in names if name.endswith(".py")]
    return sorted(files)


def docstrings(node: ast.AST) -> Iterator[str]:
    """The docstrings of a module, its classes and its functions in the order of the source."""
    if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
        text = ast.get_docstring(node)
        if text:
            yield text
    for field in ("body", "handlers", "orelse", "finalbody"):  # in the order of the source
        for child in getattr(node, field, ()):
            yield from docstrings(child)


def sentences(text: str) -> Iterator[list[str]]:
    """The tokens of each sentence of a docstring or topic: rules 1 to 5, but for repetitions."""
    for i, paragraph in enumerate(paragraphs(text)):
        for pattern, replacement in MARKUP:
            paragraph = pattern.sub(replacement, paragraph)
        for sentence in SENTENCE_END.split(paragraph.strip()):
            end = sentence.rstrip(")")[-1:]
            capital = sentence.lstrip("(")[:1].isupper()
            if (end and end in ".!?") or (capital and (end == ":" or i == 0)):
                tokens = TOKEN.findall(NUMBER.sub("N", sentence.lower()))
                if is_english(tokens):
                    yield tokens


def paragraphs(text: str) -> Iterator[str]:
    """The paragraphs of a docstring or topic, each joined into one line (rule 1)."""
    text = text.translate(TYPOGRAPHY).expandtabs()
    text = HEADING.sub("", LITERAL.sub(r"\1\2\n\n", SESSION.sub("", text)))
    paragraph, margin = "", 0
    for line in [*text.splitlines(), ""]:
        item = ITEM.match(line)
        start = item.end() if item else len(line) - len(line.lstrip())
        body = line[start:].strip()
        if item or start != margin or not body:
            if paragraph:
                yield paragraph
            paragraph, margin = body, start
        else:
            paragraph += " " + body


def is_english(tokens: list[str]) -> bool:
    """Whether all tokens are words or marks, the brackets paired and the words three or more (rule 5)."""
    words = sum(1 for token in tokens if WORD.match(token))
    marks = sum(1 for token in tokens if token in MARKS)
    return words >= 3 and words + marks == len(tokens) and tokens.count("(") == tokens.count(")")

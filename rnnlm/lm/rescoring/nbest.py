"""N-best lists: what a recogniser proposes for each utterance, in the formats of three toolkits.

    mikolov       ID words...                 lines with the same ID, one after the other, are a list
    kaldi         ID-N words...               N tells the hypotheses of an utterance apart, from the best one, 1
    srilm         ac lm nwords words...       a file per utterance, named for it (nbest-format(5), the third format)
    srilm-stream  ID ac lm nwords words...    the same for many utterances in one file

For the first two, scores of the sounds and of an earlier language model stand in files of their own: a line per
hypothesis in the same order, `ID value` (`ID-N value`) or the value alone. Kaldi's are costs, which are negative
natural logarithms; the others are logarithms to base 10. Here they become natural logarithms.
"""

from __future__ import annotations

import itertools
import math
import os
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rnnlm.errors import DataError
from rnnlm.text.lines import TextPath, lines, text_name


class Hypothesis(NamedTuple):
    """A sentence that may have been said. Its scores are natural logarithms, 0 where there are none."""

    key: str  # what its line begins with: the utterance's id; with kaldi its number, too
    words: list[str]
    ac: float = 0.0  # of the sounds, given the words
    old: float = 0.0  # of the words, by the language model that the recogniser had


class NBest(NamedTuple):
    """The hypotheses for an utterance, the recogniser's best one first."""

    id: str
    hypotheses: list[Hypothesis]


class Format(NamedTuple):
    """How a hypothesis is written."""

    line: str  # for messages
    pattern: re.Pattern[str]
    unit: str  # of scores, a key of UNITS
    hint: str

    @property
    def scored(self) -> bool:
        """Whether scores stand in the list itself."""
        return "ac" in self.pattern.groupindex


UNITS = {"log10": math.log(10), "ln": 1.0, "cost": -1.0}  # what a score is multiplied by to be a natural logarithm
_NUMBER = r"[-+]?(?:[0-9]{1,99}\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]{1,2})?"  # always finite
_COUNT = r"[0-9]{1,9}"
_SCORES = rf"(?P<ac>{_NUMBER})\s+(?P<old>{_NUMBER})\s+(?P<nwords>{_COUNT})"
_WORDS = r"(?P<words>(?:\s.*)?)"
_SRILM = "ac and lm are log scores, nwords the number of words"
FORMATS = {
    "mikolov": Format(
        "ID words...", re.compile(rf"(?P<key>(?P<id>\S+)){_WORDS}"), "log10", "ID is the same for all of a list"
    ),
    "kaldi": Format(
        "ID-N words...",
        re.compile(rf"(?P<key>(?P<id>\S+)-{_COUNT}){_WORDS}"),
        "cost",
        "N numbers the hypotheses of ID",
    ),
    "srilm": Format("ac lm nwords words...", re.compile(_SCORES + _WORDS), "log10", _SRILM),
    "srilm-stream": Format(
        "ID ac lm nwords words...", re.compile(rf"(?P<id>\S+)\s+{_SCORES}{_WORDS}"), "log10", _SRILM
    ),
}
ALIGNED = "a file of scores has a line for each hypothesis, in the same order"
UNSPOKEN = {"<s>", "</s>", "-pau-"}  # what SRILM writes between words, and counts as none


def read(
    paths: Sequence[TextPath],
    form: str,
    ac: TextPath | None = None,
    old: TextPath | None = None,
    unit: str | None = None,
) -> Iterator[NBest]:
    """The lists in files of a format (a key of FORMATS), one after the other.

    ac, old: files of scores, for the formats that have none in the list. unit: a key of UNITS, where scores are not in
    that of the format. Raises DataError, with file and line: for a line that is not as the format wants it, for scores
    that do not belong to the hypotheses line by line, for an utterance that comes twice, for a file without hypotheses.
    """
    rows = _hypotheses(paths, form, ac, old, UNITS[unit or FORMATS[form].unit])
    seen: set[str] = set()
    for (_, id), group in itertools.groupby(rows, key=lambda row: row[:2]):
        hypotheses: dict[int, Hypothesis] = {}
        for *_, line, hypothesis in group:
            number = int(hypothesis.key[len(id) + 1 :]) if form == "kaldi" else len(hypotheses)
            if id in seen:
                raise line.error("another utterance, as that of this line had its list before")
            if number in hypotheses:
                raise line.error(f"another number, as {hypothesis.key!r} was there before")
            hypotheses[number] = hypothesis
        seen.add(id)
        yield NBest(id, [hypotheses[number] for number in sorted(hypotheses)])


def read_references(path: TextPath) -> dict[str, list[str]]:
    """What was said, by utterance, from lines of `ID words...`. Raises DataError."""
    references: dict[str, list[str]] = {}
    for line in _lines(path):
        id, *words = line.text.split() or [""]
        if not id:
            raise line.error("'ID words...'")
        if id in references:
            raise line.error(f"another utterance, as {id!r} was there before")
        references[id] = words
    return references


def write(id: str, hypothesis: Hypothesis, lm: float, form: str) -> str:
    """The line of a hypothesis; in SRILM's formats with lm, its new log-probability (natural), in the place of lm."""
    if not FORMATS[form].scored:
        return " ".join([hypothesis.key, *hypothesis.words])
    scores = [f"{score / UNITS[FORMATS[form].unit]:.8g}" for score in (hypothesis.ac, lm)]
    keyed = [id] if form == "srilm-stream" else []
    return " ".join([*keyed, *scores, str(len(hypothesis.words)), *hypothesis.words])


class _Line(NamedTuple):
    place: str  # file:line
    text: str

    def error(self, expected: str, hint: str = "") -> DataError:
        text = self.text if len(self.text) <= 60 else self.text[:57] + "..."
        return DataError(f"{self.place}: found {repr(text) if text else 'an empty line'}, expected {expected}", hint)


def _lines(path: TextPath) -> Iterator[_Line]:
    name = text_name(path)
    return (_Line(f"{name}:{number}", line.strip()) for number, line in enumerate(lines(path), 1))


def _hypotheses(paths, form, ac, old, unit) -> Iterator[tuple[int, str, _Line, Hypothesis]]:
    """Each hypothesis after the number of its file, the utterance's id and its line."""
    columns = {score: _Scores(path) for score, path in (("ac", ac), ("old", old)) if path is not None}
    for file, path in enumerate(paths):
        line = None
        for line in _lines(path):
            id, found = _parse(line, form, _utterance(path))
            values = {"ac": found.ac, "old": found.old} | {k: column.next(found, line) for k, column in columns.items()}
            yield file, id, line, found._replace(ac=values["ac"] * unit, old=values["old"] * unit)
        if line is None:
            raise DataError(f"{text_name(path)}: no hypotheses", f"expected lines of '{FORMATS[form].line}'")
    for column in columns.values():
        column.end()


def _parse(line: _Line, form: str, utterance: str) -> tuple[str, Hypothesis]:
    """The id, and the hypothesis with the scores that stand in its line. utterance: the id that a file's name says."""
    match = FORMATS[form].pattern.fullmatch(line.text)
    if not match:
        raise line.error(f"'{FORMATS[form].line}'", FORMATS[form].hint)
    found = {"id": utterance, **match.groupdict()}
    words = found["words"].split()
    if not FORMATS[form].scored:
        return found["id"], Hypothesis(found["key"], words)
    words = [word for word in words if word not in UNSPOKEN]
    if len(words) != int(found["nwords"]):
        raise line.error(f"as many words as it says: {found['nwords']}, not {len(words)}", FORMATS[form].hint)
    return found["id"], Hypothesis(found["id"], words, float(found["ac"]), float(found["old"]))


def _utterance(path: TextPath) -> str:
    """The id of the utterance that a file is named for: without folder, .gz and .nbest or .score."""
    return re.sub(r"(\.nbest|\.score)?(\.gz)?$", "", os.path.basename(text_name(path)))


class _Scores:
    """A file of scores, read along with the hypotheses."""

    def __init__(self, path: TextPath):
        self.name, self.lines = text_name(path), _lines(path)

    def next(self, hypothesis: Hypothesis, line: _Line) -> float:
        """The score of the hypothesis, which stands in `line`."""
        key, row = hypothesis.key, next(self.lines, None)
        if row is None:
            raise DataError(f"{self.name}: ends before the score of {key!r} ({line.place})", ALIGNED)
        match = re.fullmatch(rf"(?:(\S+)\s+)?({_NUMBER})", row.text)
        if not match or (match[1] or key) != key:
            raise row.error(f"'{key} value' or a value, the score of {line.place}", ALIGNED)
        return float(match[2])

    def end(self) -> None:
        """Make sure that nothing is left."""
        if row := next(self.lines, None):
            raise row.error("the end, as the hypotheses have ended", ALIGNED)

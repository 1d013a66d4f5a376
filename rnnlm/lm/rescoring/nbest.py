"""N-best lists in the formats of three toolkits: a speech recogniser's hypotheses for each utterance.

    mikolov       ID words...                 consecutive lines with the same ID are a list
    kaldi         ID-N words...               N numbers the hypotheses of an utterance; 1 is the recogniser's choice
    srilm         ac lm nwords words...       a file per utterance, named after it (nbest-format(5), the third format)
    srilm-stream  ID ac lm nwords words...    many utterances in one file

For the first two, acoustic scores and the recogniser's language-model scores are in files of their own: a line per
hypothesis in the same order, `ID value` (`ID-N value`) or the value alone. Kaldi's are costs (negative natural
logarithms), the others logarithms to base 10. Everything read here becomes a natural logarithm.
"""

from __future__ import annotations

import itertools
import math
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from rnnlm.errors import DataError
from rnnlm.files import shortened
from rnnlm.text.lines import TextPath, lines, text_name


class Hypothesis(NamedTuple):
    """Hypothesis for an utterance. Its scores are natural logarithms, 0 where there are none."""

    key: str  # first field of its line: the utterance's id, in Kaldi's format with the hypothesis's number
    words: list[str]
    ac: float = 0.0  # acoustic score: log p(sounds | words)
    old: float = 0.0  # log-probability of the words under the recogniser's language model


class NBest(NamedTuple):
    """N-best list of an utterance, the recogniser's best hypothesis first."""

    id: str
    hypotheses: list[Hypothesis]


class Format(NamedTuple):
    """File format of n-best lists."""

    line: str  # for messages
    pattern: str
    unit: str  # unit of the scores, a key of UNITS
    hint: str

    @property
    def scored(self) -> bool:
        """Whether the list itself has scores."""
        return "(?P<ac>" in self.pattern


UNITS = {"log10": math.log(10), "ln": 1.0, "cost": -1.0}  # factor that makes a score a natural logarithm
_NUMBER = r"[-+]?(?:[0-9]{1,99}\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]{1,2})?"  # always finite
_COUNT = r"[0-9]{1,9}"
_SCORES = rf"(?P<ac>{_NUMBER})\s+(?P<old>{_NUMBER})\s+(?P<nwords>{_COUNT})"
_WORDS = r"(?P<words>(?:\s.*)?)"
_SRILM = "ac and lm are log scores, nwords the number of words"
FORMATS = {
    "mikolov": Format("ID words...", rf"(?P<key>(?P<id>\S+)){_WORDS}", "log10", "ID is the same for all of a list"),
    "kaldi": Format(
        "ID-N words...", rf"(?P<key>(?P<id>\S+)-{_COUNT}){_WORDS}", "cost", "N numbers the hypotheses of ID"
    ),
    "srilm": Format("ac lm nwords words...", _SCORES + _WORDS, "log10", _SRILM),
    "srilm-stream": Format("ID ac lm nwords words...", rf"(?P<id>\S+)\s+{_SCORES}{_WORDS}", "log10", _SRILM),
}
ONCE = "each utterance has one list or reference, and its hypotheses are numbered"
ALIGNED = "a file of scores has a line for each hypothesis, in the same order"
UNSPOKEN = {"<s>", "</s>", "-pau-"}  # SRILM writes them between words and does not count them


def read(
    paths: Sequence[TextPath],
    form: str,
    ac: TextPath | None = None,
    old: TextPath | None = None,
    unit: str | None = None,
) -> Iterator[NBest]:
    """N-best lists from files, one after the other.

    form: the format of the files, a key of FORMATS.
    ac, old: files of acoustic and language-model scores, for the formats whose lists have none.
    unit: unit of these scores, a key of UNITS. Default: that of the format.

    Raises DataError, with file and line, for a malformed line, for scores that do not belong to the hypotheses line by
    line, for an utterance that comes twice, and for a file without hypotheses.
    """
    factor = UNITS[unit or FORMATS[form].unit]
    rows = _rows(paths, form)
    for kind, path in (("ac", ac), ("old", old)):
        if path is not None:
            rows = _with_scores(rows, kind, path)
    seen: set[str] = set()
    for (_, id), group in itertools.groupby(rows, key=lambda row: (row.file, row.id)):
        hypotheses: dict[int, Hypothesis] = {}
        for *_, line, h in group:
            number = int(h.key[len(id) + 1 :]) if form == "kaldi" else len(hypotheses)
            if id in seen:
                raise line.error("another utterance, as that of this line had its list before")
            if number in hypotheses:
                raise line.error(f"another number, as {h.key!r} was there before")
            hypotheses[number] = h._replace(ac=h.ac * factor, old=h.old * factor)
        seen.add(id)
        yield NBest(id, [hypotheses[number] for number in sorted(hypotheses)])


def read_references(path: TextPath) -> dict[str, list[str]]:
    """Reference transcripts by utterance, from lines of `ID words...`. Raises DataError for a malformed line."""
    references: dict[str, list[str]] = {}
    for line in _lines(path):
        id, *words = line.text.split() or [""]
        if not id:
            raise line.error("'ID words...'", "ID is that of an utterance")
        if id in references:
            raise line.error(f"another utterance, as {id!r} was there before")
        references[id] = words
    return references


def write(id: str, hypothesis: Hypothesis, lm: float, form: str) -> str:
    """Line of a hypothesis in a format; lm, a natural log-probability, is its language-model score in SRILM's."""
    if not FORMATS[form].scored:
        return " ".join([hypothesis.key, *hypothesis.words])
    scores = [f"{score / UNITS[FORMATS[form].unit]:.8g}" for score in (hypothesis.ac, lm)]
    keyed = [id] if form == "srilm-stream" else []
    return " ".join([*keyed, *scores, str(len(hypothesis.words)), *hypothesis.words])


class _Line(NamedTuple):
    place: str  # file:line
    text: str

    def error(self, expected: str, hint: str = ONCE) -> DataError:
        found = shortened(self.text, 60) if self.text else "an empty line"
        return DataError(f"{self.place}: found {found}, expected {expected}", hint)


def _lines(path: TextPath) -> Iterator[_Line]:
    name = text_name(path)
    return (_Line(f"{name}:{number}", line.strip()) for number, line in enumerate(lines(path), 1))


class _Row(NamedTuple):
    """Hypothesis with its utterance's id, its line and the number of its file."""

    file: int
    id: str
    line: _Line
    hypothesis: Hypothesis


def _rows(paths: Sequence[TextPath], form: str) -> Iterator[_Row]:
    """Hypotheses of all files, in order, with the scores in their lines."""
    for file, path in enumerate(paths):
        line = None
        for line in _lines(path):
            yield _Row(file, *_parse(line, form, path))
        if line is None:
            raise DataError(f"{text_name(path)}: no hypotheses", f"expected lines of '{FORMATS[form].line}'")


def _parse(line: _Line, form: str, path: TextPath) -> tuple[str, _Line, Hypothesis]:
    """Utterance's id, line, and hypothesis. The file's name has the id of a line without one."""
    match = re.fullmatch(FORMATS[form].pattern, line.text)
    if not match:
        raise line.error(f"'{FORMATS[form].line}'", FORMATS[form].hint)
    named = re.sub(r"(\.nbest|\.score)?(\.gz)?$", "", os.path.basename(text_name(path)))
    found = {"id": named, **match.groupdict()}
    words = found["words"].split()
    if not FORMATS[form].scored:
        return found["id"], line, Hypothesis(found["key"], words)
    words = [word for word in words if word not in UNSPOKEN]
    if len(words) != int(found["nwords"]):
        raise line.error(f"as many words as it says: {found['nwords']}, not {len(words)}", FORMATS[form].hint)
    return found["id"], line, Hypothesis(found["id"], words, float(found["ac"]), float(found["old"]))


def _with_scores(rows: Iterable[_Row], kind: str, path: TextPath) -> Iterator[_Row]:
    """Hypotheses with scores from a file of their own. kind: the field of Hypothesis that they are."""
    scores = _lines(path)
    for row in rows:
        key, place, score = row.hypothesis.key, row.line.place, next(scores, None)
        if score is None:
            raise DataError(f"{text_name(path)}: ends before the score of {key!r} ({place})", ALIGNED)
        match = re.fullmatch(rf"(?:(\S+)\s+)?({_NUMBER})", score.text)
        if not match or (match[1] or key) != key:
            raise score.error(f"'{key} value' or a value, the score of {place}", ALIGNED)
        value = float(match[2])
        hypothesis = row.hypothesis._replace(ac=value) if kind == "ac" else row.hypothesis._replace(old=value)
        yield row._replace(hypothesis=hypothesis)
    if score := next(scores, None):
        raise score.error("the end, as the hypotheses have ended", ALIGNED)

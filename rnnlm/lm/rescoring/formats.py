"""Lines of n-best lists in the formats of five toolkits.

    mikolov       ID words...                 consecutive lines with the same ID are a list
    kaldi         ID-N words...               N numbers the hypotheses of an utterance; 1 is the recogniser's choice
    srilm         ac lm nwords words...       a file per utterance, named after it: nbest-format(5) of SRILM
    srilm-stream  ID ac lm nwords words...    many utterances in one file
    moses         ID ||| words ||| features ||| score    of a translator: Moses, Joshua, cdec, Marian

A file of the format srilm may begin with a line NBestList1.0 or NBestList2.0, as Decipher writes them:

    (score) words...                                     composite score, in bytelogs
    (score) word ( st: x et: x g: x a: x ) word ...      lm score g and acoustic score a of each word, in bytelogs
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from rnnlm.errors import DataError
from rnnlm.files import shortened
from rnnlm.text import white

BYTELOG = 1024 / 10000.5  # nats in one: a logarithm to base 1.0001, divided by 1024
UNITS = {"log10": math.log(10), "ln": 1.0, "cost": -1.0, "bytelog": BYTELOG}  # nats in one unit
IMPOSSIBLE = -1e10  # nats: a score of minus infinity, with which a hypothesis is never chosen before another
NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?|[-+]?(inf|infinity|1\.#inf0*)", re.IGNORECASE)
COUNT = re.compile("[0-9]{1,9}")
NUMBERED = re.compile(".+-[0-9]{1,9}")  # key of a hypothesis in Kaldi's format
DECIPHER = re.compile(r"\(\s*(\S+?)\s*\)(\s.*)?", re.ASCII)  # (score) words...
BACKTRACE = 11  # fields of a word in NBestList2.0: word ( st: x et: x g: x a: x )


class Line(NamedTuple):
    """Line of a file, with its place for messages."""

    place: str  # file:line
    text: str

    def error(self, expected: str, hint: str, found: str | None = None) -> DataError:
        """DataError that says what was found here (the whole line by default) and what was expected."""
        what = found or (shortened(self.text, 60) if self.text else "an empty line")
        return DataError(f"{self.place}: found {what}, expected {expected}", hint)

    def score(self, field: str, name: str, unit: str, hint: str) -> float:
        """Natural logarithm of a field of this line. Raises DataError, with the field's name, if it is no number."""
        x = math.nan
        if NUMBER.fullmatch(field):
            x = float(field.lower().replace("1.#inf", "inf").rstrip("0") if "#" in field else field) * UNITS[unit]
        if not x < math.inf:
            raise self.error(f"a number for {name}", hint, shortened(field, 30))
        return max(x, IMPOSSIBLE)


class Parsed(NamedTuple):
    """Parts of the line of a hypothesis. Scores are natural logarithms."""

    id: str | None  # of the utterance; None in a file of one
    key: str  # first field of the line
    words: list[str]
    ac: float = 0.0
    old: float = 0.0
    nwords: int | None = None  # number of words, where the line says it


class Format(NamedTuple):
    """File format of n-best lists."""

    line: str  # for messages
    unit: str  # unit of the scores, a key of UNITS
    scored: bool  # whether the list itself has scores
    hint: str
    parse: Callable[[Line], Parsed | None]  # None for a line of another form

    def read(self, line: Line) -> Parsed:
        """Parts of a line. Raises DataError for one of another form."""
        if (parsed := self.parse(line)) is None:
            raise line.error(f"'{self.line}'", self.hint)
        return parsed


def parser(form: str, first: Line) -> tuple[Callable[[Line], Parsed], bool]:
    """Parser of the lines of a file, and whether its first line is a heading. Raises DataError as the parser does.

    form: the format that is expected, a key of FORMATS. A first line of another format is refused by name.
    """
    if form == "srilm" and (decipher := DECIPHERS.get(first.text.rstrip())):
        return decipher.read, True
    found = recognised(first.text)
    if found and form not in found:
        what = f"a list in the format {found[0]}, {shortened(first.text, 60)}"
        raise first.error(f"{form}, '{FORMATS[form].line}'", f"try --format {found[0]}", what)
    return FORMATS[form].read, False


def recognised(text: str, exact: bool = True) -> list[str]:
    """The formats with scores that a line may be of: one, unless its words are numbers; none of most other lines.

    exact: it has as many words as it says; otherwise some of them may be noise, which is not counted.
    """
    if text.startswith("NBestList"):
        return ["srilm"]
    if len(_parts(text)) > 2:
        return ["moses"]
    fields, found = white.split(text), []
    for form, id in (("srilm", 0), ("srilm-stream", 1)):
        scores, count, words = fields[id : id + 2], "".join(fields[id + 2 : id + 3]), fields[id + 3 :]
        numbers = all(map(NUMBER.fullmatch, scores)) and re.search("[.-]", "".join(scores))
        counted = sum(word not in UNCOUNTED for word in words)
        if numbers and (count == str(counted) or (not exact and COUNT.fullmatch(count) and int(count) <= counted)):
            found.append(form)
    return found


def guess(lines: Sequence[Line]) -> str:
    """The format that the first lines of a file are of, a key of FORMATS. Raises DataError if it is not plain.

    Formats with scores tell by their numbers. Of the others, `kaldi` counts the hypotheses of an utterance, 1, 2, ...;
    in `mikolov` lines with the same ID follow each other.
    """
    texts = [line.text for line in lines if line.text]
    found = recognised(texts[0]) or recognised(texts[0], exact=False)
    for text in texts[1:]:  # what is wrong with a line, is said later
        found = [form for form in found if form in recognised(text)] or found
    if not found:
        keys = [white.split(text, 1)[0] for text in texts]
        if any(map(str.__eq__, keys, keys[1:])):
            return "mikolov"
        found = ["mikolov"]
        if all(NUMBERED.fullmatch(key) for key in keys):
            found.append("kaldi")
            ids = [key.rpartition("-")[0] for key in keys]
            expected = [f"{id}-{n}" for id, group in itertools.groupby(ids) for n, _ in enumerate(group, 1)]
            if keys == expected and len(set(ids)) < len(ids):
                return "kaldi"
    if len(found) > 1 or found == ["mikolov"]:
        choices = " or ".join(f"{form}, '{FORMATS[form].line}'" for form in found)
        why = "" if found[0] in SCORED else ", and no two lines have one utterance"
        raise DataError(
            f"{lines[0].place}: the format is not plain: {choices}{why}",
            f"name it: --format {found[0]}; the formats are {', '.join(FORMATS)}",
        )
    return found[0]


def _mikolov(line: Line) -> Parsed | None:
    key, *words = white.split(line.text) or [""]
    return Parsed(key, key, words) if key else None


def _kaldi(line: Line) -> Parsed | None:
    key, *words = white.split(line.text) or [""]
    id, dash, number = key.rpartition("-")
    return Parsed(id, key, words) if id and COUNT.fullmatch(number) else None


def _srilm(line: Line, ids: int = 0) -> Parsed | None:
    """A line that begins with this number of ids, 0 or 1."""
    fields = white.split(line.text)
    id, fields = fields[0] if ids and fields else None, fields[ids:]
    if len(fields) < 3 or not COUNT.fullmatch(fields[2]):
        return None
    ac, lm = (line.score(x, name, "log10", SCORES) for x, name in zip(fields, ("ac", "lm")))
    return Parsed(id, "", fields[3:], ac, lm, int(fields[2]))


def _composite(line: Line) -> Parsed | None:
    match = DECIPHER.fullmatch(line.text)
    if not match:
        return None
    return Parsed(None, "", white.split(match[2] or ""), line.score(match[1], "score", "bytelog", SCORES))


def _backtraced(line: Line) -> Parsed | None:
    """Words with their scores; phones and states, whose times lie within those of a word, are left out."""
    match = DECIPHER.fullmatch(line.text)
    if not match:
        return None
    line.score(match[1], "score", "bytelog", SCORES)
    words, ac, old, end = [], 0.0, 0.0, -math.inf
    fields = white.split(match[2] or "")
    for i in range(0, len(fields), BACKTRACE):
        word, *rest = fields[i : i + BACKTRACE]
        if [*rest[:1], *rest[1::2]] != LABELS:
            return None
        start, stop = (line.score(rest[k], name, "ln", SCORES) for k, name in ((2, "st"), (4, "et")))
        if start > end:
            words.append(word)
            old += line.score(rest[6], "g", "bytelog", SCORES)
            ac += line.score(rest[8], "a", "bytelog", SCORES)
            end = stop
    return Parsed(None, "", words, ac, old)


def _parts(text: str) -> list[str]:
    return [white.strip(part) for part in re.split(r"(?:^|(?<=\s))\|\|\|(?=\s|$)", text, flags=re.ASCII)]


def _moses(line: Line) -> Parsed | None:
    """The score is the translator's total; the features LM, LM0, KENLM0 ... are its language model."""
    id, *parts = _parts(line.text)
    if not id or len(parts) < 3 or " " in id:
        return None
    words, features, total, *_ = parts
    old, name = 0.0, ""
    for field in white.split(features.replace("=", "= ")):
        if re.fullmatch(r"\S*[:=]", field):
            name = field[:-1]
        elif LM.fullmatch(name):
            old += line.score(field, name, "ln", SCORES)
    return Parsed(id, id, white.split(words), line.score(total, "the total score", "ln", SCORES), old)


LM = re.compile("(lm|kenlm|languagemodel)[_0-9]*", re.IGNORECASE)  # names of features
SCORES = "scores are numbers, -inf among them"
LABELS = ["(", "st:", "et:", "g:", "a:", ")"]
UNCOUNTED = {"<s>", "</s>", "-pau-"}  # SRILM writes them between words and does not count them
_SRILM = "ac and lm are log scores, nwords the number of words"
_WORDS = "(score) word ( st: x et: x g: x a: x ) ..."
DECIPHERS = {
    "NBestList1.0": Format("(score) words...", "bytelog", True, _SRILM, _composite),
    "NBestList2.0": Format(_WORDS, "bytelog", True, _SRILM, _backtraced),
}
FORMATS = {
    "mikolov": Format("ID words...", "log10", False, "ID is the same for all of a list", _mikolov),
    "kaldi": Format("ID-N words...", "cost", False, "N numbers the hypotheses of ID", _kaldi),
    "srilm": Format("ac lm nwords words...", "log10", True, _SRILM, _srilm),
    "srilm-stream": Format("ID ac lm nwords words...", "log10", True, _SRILM, partial(_srilm, ids=1)),
    "moses": Format("ID ||| words ||| features ||| score", "ln", True, "ID numbers the sentences", _moses),
}
SCORED = [name for name, form in FORMATS.items() if form.scored]

"""N-best lists: a speech recogniser's hypotheses for each utterance, from files of the formats in `formats`.

For lists without scores of their own, acoustic scores and the recogniser's language-model scores are in files of their
own: a line per hypothesis in the same order, `ID value` (`ID-N value`) or the value alone. Kaldi's are costs (negative
natural logarithms), Mikolov's logarithms to base 10. Everything read here becomes a natural logarithm.

Noise is what is in a list but no word, such as `[laugh]` or `-pau-`: a hypothesis keeps it apart from its words.
"""

from __future__ import annotations

import itertools
import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from rnnlm.errors import DataError
from rnnlm.lm.rescoring.formats import FORMATS, UNCOUNTED, UNITS, Line, guess, parser
from rnnlm.text import white
from rnnlm.text.lines import TextPath, lines, text_name

JUDGED = 200  # lines by which the format of a file is judged
ONCE = "each utterance has one list or reference, and its hypotheses are numbered"
ALIGNED = "a file of scores has a line for each hypothesis, in the same order"
MARKERS = {"<s>", "</s>"}  # never words of a hypothesis or reference
PAUSES = UNCOUNTED - MARKERS  # noise in the formats of SRILM


class Hypothesis(NamedTuple):
    """Hypothesis for an utterance. Its scores are natural logarithms, 0 where there are none."""

    key: str  # first field of its line: the utterance's id, in Kaldi's format with the hypothesis's number
    words: list[str]  # without noise
    ac: float = 0.0  # acoustic score: log p(sounds | words)
    old: float = 0.0  # log-probability of the words under the recogniser's language model
    noisy: list[str] | None = None  # words and noise, where there is noise

    @property
    def everything(self) -> list[str]:
        """Words and noise as the list has them."""
        return self.words if self.noisy is None else self.noisy


class NBest(NamedTuple):
    """N-best list of an utterance, the recogniser's best hypothesis first."""

    id: str
    hypotheses: list[Hypothesis]


def read(
    paths: Sequence[TextPath],
    form: str,
    ac: TextPath | None = None,
    old: TextPath | None = None,
    unit: str | None = None,
    noise: Collection[str] = (),
    notes: list[str] | None = None,
    begun: Iterable[Line] | None = None,
) -> Iterator[NBest]:
    """N-best lists from files, one after the other.

    form: the format of the files, a key of FORMATS.
    ac, old: files of acoustic and language-model scores, for the formats whose lists have none.
    unit: unit of these scores, a key of UNITS. Default: that of the format.
    noise: words that are none; `-pau-` is one in SRILM's formats, and `<s>` and `</s>` are dropped everywhere.
    notes: gets a line for each thing to report once all lists are read: see `confusable`.
    begun: the lines of the first file, where `guessed` has begun to read them.

    Raises DataError, with file and line, for a malformed line or one of another format, for scores that do not belong
    to the hypotheses line by line, for an utterance that comes twice, and for a file without hypotheses.
    """
    unit = unit or FORMATS[form].unit
    rows = _rows(paths, form, {*noise, *(PAUSES if form.startswith("srilm") else ())}, begun)
    for kind, path in (("ac", ac), ("old", old)):
        if path is not None:
            rows = _with_scores(rows, kind, path, unit)
    sizes: dict[str, int] = {}
    for (_, id), group in itertools.groupby(rows, key=lambda row: row[0]):
        hypotheses: dict[int, Hypothesis] = {}
        for _, line, h in group:
            number = int(h.key[len(id) + 1 :]) if form == "kaldi" else len(hypotheses)
            if id in sizes:
                raise line.error("another utterance, as that of this line had its list before", ONCE)
            if number in hypotheses:
                raise line.error(f"another number, as {h.key!r} was there before", ONCE)
            hypotheses[number] = h
        sizes[id] = len(hypotheses)
        yield NBest(id, [hypotheses[number] for number in sorted(hypotheses)])
    if notes is not None:
        notes += confusable(sizes, form)


def guessed(path: TextPath) -> tuple[str, Iterator[Line]]:
    """The format of a file of n-best lists, judged by its first lines, and all of its lines.

    Raises DataError if it has none, or if they may be of several formats: see `formats.guess`.
    """
    every = _lines(path)
    first = list(itertools.islice(every, JUDGED))
    if not any(line.text for line in first):
        raise DataError(f"{text_name(path)}: no hypotheses", "expected a hypothesis on each line")
    return guess(first), itertools.chain(first, every)


def confusable(sizes: dict[str, int], form: str) -> Iterator[str]:
    """Notes of what is suspicious about the ids of lists. sizes: number of hypotheses by id.

    Ids that differ in case, leading zeros or the form of a Unicode character alone; a format that parts ids wrongly.
    """
    alike = defaultdict(list)
    for id in sizes:
        alike[likeness(id)].append(id)
    pairs = [ids for ids in alike.values() if len(ids) > 1]
    if pairs:
        first, second = pairs[0][:2]
        yield f"{sum(map(len, pairs))} utterances have ids that are easily confused, such as {first!r} and {second!r}"
    numbered = [id.rpartition("-") for id in sizes if re.search("-[0-9]+$", id)]
    if form == "kaldi":
        for id, _, number in numbered:
            if id in sizes:
                yield f"{f'{id}-{number}'!r} may be utterance {id!r}, hypothesis {number}; it is read as an utterance"
                return
    elif form == "mikolov" and len({id for id, *_ in numbered}) < len(numbered) == len(sizes) == sum(sizes.values()):
        yield f"every list has one hypothesis, with ids such as {'-'.join(numbered[0][::2])!r}: try --format kaldi"


def likeness(id: str) -> str:
    """A form of an id that is the same for ids which are easily confused."""
    plain = unicodedata.normalize("NFKC", id).casefold().replace("_", "-")
    return re.sub("[0-9]+", lambda number: number[0].lstrip("0") or "0", plain)


def read_references(path: TextPath, noise: Collection[str] = ()) -> dict[str, list[str]]:
    """Reference transcripts by utterance, from lines of `ID words...`, without noise.

    Raises DataError for a malformed line.
    """
    references: dict[str, list[str]] = {}
    left_out = {*noise, *MARKERS}
    for line in _lines(path):
        id, *words = white.split(line.text) or [""]
        if not id:
            raise line.error("'ID words...'", "ID is that of an utterance")
        if id in references:
            raise line.error(f"another utterance, as {id!r} was there before", ONCE)
        references[id] = [word for word in words if word not in left_out]
    return references


def read_noise(value: str) -> set[str]:
    """The words that are none: those in a file of this name, or else the value itself, parted by commas or blanks."""
    text = lines(value) if os.path.isfile(value) else [value.replace(",", " ")]
    return {word for line in text for word in white.split(line)}


def write(id: str, hypothesis: Hypothesis, lm: float, form: str) -> str:
    """Line of a hypothesis in a format; lm, a natural log-probability, is its language-model score where it has one."""
    words = hypothesis.everything
    if not FORMATS[form].scored:
        return " ".join([hypothesis.key, *words])
    ac, lm = (f"{score / UNITS[FORMATS[form].unit]:.8g}" for score in (hypothesis.ac, lm))  # type: ignore[assignment]
    if form == "moses":
        return f"{id} ||| {' '.join(words)} ||| LM= {lm} ||| {ac}"
    keyed = [id] if form == "srilm-stream" else []
    count = sum(word not in UNCOUNTED for word in words)
    return " ".join([*keyed, ac, lm, str(count), *words])  # type: ignore[list-item]


def _lines(path: TextPath) -> Iterator[Line]:
    name = text_name(path)
    return (Line(f"{name}:{number}", white.strip(line)) for number, line in enumerate(lines(path), 1))


Row = tuple[tuple[int, str], Line, Hypothesis]  # the number of its file and its utterance's id; its line; a hypothesis


def _rows(paths: Sequence[TextPath], form: str, noise: set[str], begun: Iterable[Line] | None) -> Iterator[Row]:
    """Hypotheses of all files, in order, with the scores in their lines. The file's name has the id of a line."""
    for file, path in enumerate(paths):
        named = re.sub(r"(\.nbest|\.score)?(\.gz)?$", "", os.path.basename(text_name(path)))
        parse, empty = None, True
        for line in begun if begun is not None and file == 0 else _lines(path):
            if parse is None:
                parse, heading = parser(form, line)
                if heading:
                    continue
            empty, found = False, parse(line)
            noisy = [word for word in found.words if word not in MARKERS]
            words = [word for word in noisy if word not in noise]
            counted = sum(word not in UNCOUNTED for word in found.words)
            if found.nwords not in (None, counted, len(words)):  # SRILM does not count noise either
                expected = f"as many words as it says: {found.nwords}, not {counted}"
                raise line.error(expected, FORMATS[form].hint)
            id = named if found.id is None else found.id
            everything = None if noisy == words else noisy
            yield (file, id), line, Hypothesis(found.key or id, words, found.ac, found.old, everything)
        if empty:
            raise DataError(f"{text_name(path)}: no hypotheses", f"expected lines of '{FORMATS[form].line}'")


def _with_scores(rows: Iterable[Row], kind: str, path: TextPath, unit: str) -> Iterator[Row]:
    """Hypotheses with scores from a file of their own. kind: the field of Hypothesis that they are."""
    scores = _lines(path)
    for utterance, line, h in rows:
        if (score := next(scores, None)) is None:
            raise DataError(f"{text_name(path)}: ends before the score of {h.key!r} ({line.place})", ALIGNED)
        *keys, field = white.split(score.text) or [""]
        expected = f"{f'{h.key} value'!r} or a value, the score of {line.place}"
        if keys not in ([], [h.key]) or not field:
            raise score.error(expected, ALIGNED)
        value = score.score(field, f"{kind}: {expected}", unit, ALIGNED)
        yield utterance, line, h._replace(ac=value) if kind == "ac" else h._replace(old=value)
    if score := next(scores, None):
        raise score.error("the end, as the hypotheses have ended", ALIGNED)

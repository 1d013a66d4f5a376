"""The formats of n-best lists: what they mean, and what is said when something is wrong with them."""

import gzip
import math

import pytest

from rnnlm.errors import DataError
from rnnlm.lm.rescoring.formats import FORMATS, IMPOSSIBLE
from rnnlm.lm.rescoring.nbest import JUDGED as JUDGED_BY
from rnnlm.lm.rescoring.nbest import Hypothesis, NBest, guessed, read, read_noise, read_references, write

LN10 = math.log(10)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder to write files into: a function from a name and text to the name."""
    monkeypatch.chdir(tmp_path)

    def file(name, text):
        (tmp_path / name).write_text(text)
        return name

    return file


def test_mikolov(folder):
    name = folder("m.nbest", "u1 the cat\nu1 \nu1 a  cat\nu-2 the dog\n")
    assert list(read([name], "mikolov")) == [
        NBest("u1", [Hypothesis("u1", ["the", "cat"]), Hypothesis("u1", []), Hypothesis("u1", ["a", "cat"])]),
        NBest("u-2", [Hypothesis("u-2", ["the", "dog"])]),
    ]


@pytest.mark.parametrize(("form", "line"), [
    ("mikolov", "u1 10\xa0000 a"), ("kaldi", "u1-1 10\xa0000 a"), ("srilm", "-1 -2 2 10\xa0000 a"),
    ("srilm-stream", "u1 -1 -2 2 10\xa0000 a"), ("moses", "u1 ||| 10\xa0000 a ||| LM= -2 ||| -1"),
])  # fmt: skip
def test_ascii_white_space_separates_words(folder, form, line):
    ((_, (hypothesis,)),) = read([folder("u1", f"{line}\n")], form)
    assert hypothesis.words == ["10\xa0000", "a"]


def test_scores_of_mikolov_are_logarithms_to_base_10(folder):
    name = folder("m.nbest", "u1 the cat\nu1 a cat\n")
    ac, old = folder("ac", "u1 -2\nu1 -3e0\n"), folder("old", "-1.5\n+.5\n")
    ((_, (first, second)),) = read([name], "mikolov", ac, old)
    assert (first.ac, first.old, second.ac, second.old) == (-2 * LN10, -1.5 * LN10, -3 * LN10, 0.5 * LN10)
    ((_, (first, _)),) = read([name], "mikolov", ac, unit="ln")
    assert first.ac == -2


def test_kaldi(folder):
    name = folder("k.nbest", "a-1-2 the dog\na-1-10 dogs\na-1-1 the cat\nb-1\n")
    ac = folder("ac", "a-1-2 20\na-1-10 100\na-1-1 10\nb-1 0\n")
    lists = list(read([name], "kaldi", ac))
    assert [nbest.id for nbest in lists] == ["a-1", "b"]
    assert [h.key for h in lists[0].hypotheses] == ["a-1-1", "a-1-2", "a-1-10"]  # by number, as 1 is the first-best
    assert [(h.ac, h.words) for h in lists[0].hypotheses] == [
        (-10, ["the", "cat"]),
        (-20, ["the", "dog"]),
        (-100, ["dogs"]),
    ]
    assert lists[1].hypotheses == [Hypothesis("b-1", [], 0, 0)]


def test_srilm(folder, tmp_path):
    (tmp_path / "lists").mkdir()
    first = folder("lists/u1.x.nbest", "-100.5 -20 2 <s> the -pau- cat </s>\n-101 -1e1 0\n")
    (tmp_path / "u2.score.gz").write_bytes(gzip.compress(b"-3 -4 1 dog\n"))
    one, two = read([first, "u2.score.gz"], "srilm")
    assert one.id == "u1.x"
    assert one.hypotheses == [
        Hypothesis("u1.x", ["the", "cat"], -100.5 * LN10, -20 * LN10, ["the", "-pau-", "cat"]),
        Hypothesis("u1.x", [], -101 * LN10, -10 * LN10),
    ]
    assert two == NBest("u2", [Hypothesis("u2", ["dog"], -3 * LN10, -4 * LN10)])


def test_srilm_stream(folder):
    name = folder("s.nbest", "7 -100.5 -20 2 the cat\n7 -101 -21 1 cat\n8 -1 -1 3 1 2 3\n")
    assert [(n.id, [h.words for h in n.hypotheses]) for n in read([name], "srilm-stream")] == [
        ("7", [["the", "cat"], ["cat"]]),
        ("8", [["1", "2", "3"]]),
    ]


@pytest.mark.parametrize("form", FORMATS)
def test_what_is_written_can_be_read(folder, form):
    hypothesis = Hypothesis("u-1-3" if form == "kaldi" else "u-1", ["the", "cat"], -12.25, -3.5)
    line = write("u-1", hypothesis, -7.125, form)
    ((id, (again,)),) = read([folder("u-1.nbest", line + "\n")], form)
    assert (id, again.key, again.words) == ("u-1", hypothesis.key, hypothesis.words)
    if FORMATS[form].scored:
        assert (again.ac, again.old) == (pytest.approx(-12.25), pytest.approx(-7.125))


def test_files_follow_each_other(folder):
    names = [folder("a", "u1 x\nu1 y\n"), folder("b", "u2 z\n")]
    ac = folder("ac", "1\n2\n3\n")
    assert [[h.ac for h in nbest.hypotheses] for nbest in read(names, "mikolov", ac, unit="ln")] == [[1, 2], [3]]


@pytest.mark.parametrize(("form", "text", "place", "words"), [
    ("mikolov", "u1 a\n\nu1 b\n", "f:2:", "an empty line, expected 'ID words...'"),
    ("mikolov", "u1 a\nu2 b\nu1 c\n", "f:3:", "'u1 c', expected another utterance"),
    ("kaldi", "u-1 a\nu2 b\n", "f:2:", "'u2 b', expected 'ID-N words...'"),
    ("kaldi", "-1 a\n", "f:1:", "'-1 a', expected 'ID-N words...'"),
    ("kaldi", "u-1 a\nu-01 b\n", "f:2:", "'u-01 b', expected another number"),
    ("srilm", "-1 -2 a b\n", "f:1:", "'-1 -2 a b', expected 'ac lm nwords words...'"),
    ("srilm", "NBestList1.0\n-23 a b\n", "f:2:", "'-23 a b', expected '(score) words...'"),
    ("srilm", "-1 nan 1 a\n", "f:1:", "'nan', expected a number for lm"),
    ("srilm", "-1 1e999 1 a\n", "f:1:", "'1e999', expected a number for lm"),
    ("srilm", "-1,5 -2 1 a\n", "f:1:", "'-1,5', expected a number for ac"),
    ("srilm-stream", "u -1 inf 1 a\n", "f:1:", "'inf', expected a number for lm"),
    ("srilm", "-1 -2 3 a b\n", "f:1:", ": 3, not 2"),
    ("srilm-stream", "u -1 -2 1 a\n-1 -2 1 a\n", "f:2:", "'-1 -2 1 a', expected 'ID ac lm nwords words...'"),
    ("srilm-stream", f"u -1 -2 9 {'long ' * 20}\n", "f:1:", f"'u -1 -2 9 {'long ' * 9}lo...'"),
    ("kaldi", "", "f:", "no hypotheses"),
])  # fmt: skip
def test_malformed_lists(folder, form, text, place, words):
    with pytest.raises(DataError) as error:
        list(read([folder("f", text)], form))
    assert error.value.message.startswith(place)
    assert words in error.value.message
    assert error.value.hint


def test_an_utterance_has_one_file(folder, tmp_path):
    (tmp_path / "x").mkdir()
    with pytest.raises(DataError, match="x/u.nbest:1: .*another utterance"):
        list(read([folder("u.nbest", "-1 -2 1 a\n"), folder("x/u.nbest", "-1 -2 1 b\n")], "srilm"))


@pytest.mark.parametrize(("scores", "place", "words"), [
    ("u-1 1\n", "ac:", "'u-2' (f:2)"),
    ("u-1 1\nu-2 2\nu-3 3\n", "ac:3:", "'u-3 3', expected the end"),
    ("u-2 1\nu-1 2\n", "ac:1:", "'u-2 1', expected 'u-1 value'"),
    ("1\n\n2\n", "ac:2:", "an empty line, expected 'u-2 value'"),
    ("u-1 1\nu-2 x\n", "ac:2:", "'u-2 value' or a value, the score of f:2"),
    ("u-1 1\nu-2 nan\n", "ac:2:", "'nan', expected a number for"),
    ("u-1 1\nu-2 -inf\n", "ac:2:", "'-inf', expected a number for"),
    ("u-1 1 2\n", "ac:1:", "'u-1 1 2', expected 'u-1 value'"),
])  # fmt: skip
@pytest.mark.parametrize("kind", ["ac", "old"])
def test_scores_that_do_not_belong(folder, kind, scores, place, words):
    lists, files = folder("f", "u-1 a\nu-2 b\n"), {"ac": folder("good", "1\n2\n"), kind: folder("ac", scores)}
    with pytest.raises(DataError) as error:
        list(read([lists], "kaldi", **files))
    assert error.value.message.startswith(place)
    assert words in error.value.message


def test_references(folder):
    assert read_references(folder("ref", "u1 the cat\nu2\n")) == {"u1": ["the", "cat"], "u2": []}
    for text, message in (
        ("u1 a\n\n", "ref:2: .*an empty line, expected 'ID words...'"),
        ("u1 a\nu1 b\n", "ref:2: .*'u1 b', expected another utterance"),
    ):
        with pytest.raises(DataError, match=message):
            read_references(folder("ref", text))


# --- noise -----------------------------------------------------------------------------------------------------------


def test_noise_is_kept_apart(folder):
    name = folder("m", "u1 <s> uh the [laugh] cat </s>\nu1 the cat\n")
    ((_, (first, second)),) = read([name], "mikolov", noise={"uh", "[laugh]"})
    assert (first.words, first.everything) == (["the", "cat"], ["uh", "the", "[laugh]", "cat"])
    assert (second.words, second.everything) == (["the", "cat"], ["the", "cat"])
    assert write("u1", first, 0, "mikolov") == "u1 uh the [laugh] cat"
    assert read_references(folder("ref", "u1 <s> uh the cat </s>\n"), {"uh"}) == {"u1": ["the", "cat"]}


@pytest.mark.parametrize("nwords", [2, 3])
def test_srilm_may_count_noise_or_not(folder, nwords):
    name = folder("s", f"u -1 -2 {nwords} the [laugh] -pau- cat\n")
    ((_, (first,)),) = read([name], "srilm-stream", noise={"[laugh]"})
    assert (first.words, first.everything) == (["the", "cat"], ["the", "[laugh]", "-pau-", "cat"])
    line = write("u", first, -2 * LN10, "srilm-stream")
    assert line == "u -1 -2 3 the [laugh] -pau- cat"
    assert list(read([folder("again", line)], "srilm-stream", noise={"[laugh]"})) == [NBest("u", [first])]
    assert [h.words for h in next(read([folder("again", line)], "srilm-stream")).hypotheses] == [
        ["the", "[laugh]", "cat"]
    ]


def test_noise_from_a_file_or_as_words(folder):
    assert read_noise(folder("noise", "[laugh]\n\n-pau- <eps>\n")) == {"[laugh]", "-pau-", "<eps>"}
    assert read_noise("[laugh],-pau-, <eps>") == {"[laugh]", "-pau-", "<eps>"}


# --- formats of Decipher and Moses -----------------------------------------------------------------------------------


def test_composite_scores_of_decipher(folder):
    name = folder("u.nbest", "NBestList1.0\n(-1000) the cat\n( -1000.5 ) -pau-\n(-3)\n")
    ((id, (first, second, third)),) = read([name], "srilm")
    assert (id, first.words, second.words, third.words) == ("u", ["the", "cat"], [], [])
    assert first.ac == pytest.approx(-1000 * 1024 * math.log(1.0001), rel=1e-4)  # a bytelog is 1024 steps of ln 1.0001
    assert (first.old, third.ac / first.ac) == (0, pytest.approx(0.003))


def test_scores_of_words_of_decipher(folder):
    words = [
        ("the", 0, 0.5, -30, -200),
        ("dh", 0, 0.2, -1, -90),
        ("ax-2", 0.2, 0.5, -1, -110),
        ("cat", 0.51, 1, -40, -5),
    ]
    line = " ".join(f"{word} ( st: {st} et: {et} g: {g} a: {a} )" for word, st, et, g, a in words)
    name = folder("u.nbest", f"NBestList2.0\n(-275) {line}\n(0)\n")
    ((_, (first, second)),) = read([name], "srilm")
    assert first.words == ["the", "cat"]  # without the phone and the state
    assert first.ac / first.old == pytest.approx(205 / 70)
    assert first.old == pytest.approx(-70 * 1024 / 10000.5)
    assert (second.words, second.ac, second.old) == ([], 0, 0)
    with pytest.raises(DataError, match=r"f:2: .*expected '\(score\) word \( st: x"):
        list(read([folder("f", "NBestList2.0\n(-2) the ( st: 0 et: 1 g: 1 )\n")], "srilm"))


@pytest.mark.parametrize("features", ["LM0= -20 LM1= -2 -0.5 TM= 1 2", "d: 0 lm: -22.5 w: -3", "kenlm_1=-22.5 LMX=7"])
def test_moses(folder, features):
    name = folder(
        "m", f"0 ||| the cat ||| {features} ||| -10.5 ||| 0-0 1-1\n0 ||| ||| ||| -1\n17 ||| a | b ||| x ||| 2\n"
    )
    (_, (first, second)), (id, (third,)) = read([name], "moses")
    assert (first.words, first.ac, first.old) == (["the", "cat"], -10.5, -22.5)
    assert (second.words, second.ac, second.old) == ([], -1, 0)
    assert (id, third.words, third.ac) == ("17", ["a", "|", "b"], 2)


LINES = {
    "mikolov": "u the cat\n", "kaldi": "u-1 the cat\n", "srilm": "-1.5 -20 2 the cat\n",
    "srilm-stream": "7 -1.5 -20 2 the cat\n", "moses": "0 ||| the cat ||| x ||| -1\n",
}  # fmt: skip


@pytest.mark.parametrize("given", FORMATS)
@pytest.mark.parametrize("form", ["srilm", "srilm-stream", "moses", "NBestList1.0", "NBestList2.0"])
def test_a_list_of_another_format_is_refused_by_name(folder, form, given):
    text = LINES.get(form, f"{form}\n(-5)\n")
    right = form if form in FORMATS else "srilm"
    if given == right:
        assert len(list(read([folder("f", text)], given))) == 1
        return
    with pytest.raises(DataError, match=f"f:1: found a list in the format {right}, .*expected {given}") as error:
        list(read([folder("f", text)], given))
    assert error.value.hint == f"try --format {right}"


@pytest.mark.parametrize(("form", "text", "words"), [
    ("moses", "0 ||| a ||| LM0= x ||| -1\n", "'x', expected a number for LM0"),
    ("moses", "0 ||| a ||| LM0= 1 ||| x\n", "'x', expected a number for the total score"),
    ("moses", "0 ||| a ||| LM0= 1\n", "expected 'ID ||| words"),
    ("moses", "0 1 ||| a ||| x ||| 1\n", "expected 'ID ||| words"),
    ("srilm", "NBestList1.0\n(x) a\n", "'x', expected a number for score"),
    ("srilm", "NBestList2.0\n(1) a ( st: 0 et: 1 g: x a: 1 )\n", "'x', expected a number for g"),
    ("srilm", "NBestList1.0\n", "no hypotheses"),
])  # fmt: skip
def test_what_is_wrong_in_these_formats(folder, form, text, words):
    with pytest.raises(DataError) as error:
        list(read([folder("f", text)], form))
    assert words in error.value.message


@pytest.mark.parametrize("number", ["-inf", "-INF", "-1.#INF", "-1.#INF00", "-1e300", "-1.25E+0020"])
def test_a_score_of_minus_infinity_is_a_number(folder, number):
    ((_, (first,)),) = read([folder("f", f"u {number} -1.25E+002 1 a\n")], "srilm-stream")
    assert (first.ac, first.old) == (IMPOSSIBLE, -125 * LN10)


# --- ids ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("form", "text", "words"), [
    ("mikolov", "u01 a\nu1 a\nU2 b\nu2 b\n", ["4 utterances", "'u01'", "'u1'"]),
    ("mikolov", "caf\u00e9 a\ncafe\u0301 a\n", ["2 utterances"]),
    ("kaldi", "a-1 x\na-1-2 x\n", ["'a-1'", "hypothesis 1"]),
    ("mikolov", "a-1 x\na-2 x\nb-1 x\n", ["one hypothesis", "--format kaldi"]),
])  # fmt: skip
def test_ids_that_are_easily_confused(folder, form, text, words):
    notes = []
    list(read([folder("f", text)], form, notes=notes))
    assert len(notes) == 1
    assert [word for word in words if word not in notes[0]] == []


@pytest.mark.parametrize("text", ["a-1 x\nb-1 x\n", "a-1 x\na-1 y\na-2 x\n", "a x\nb x\n", "u-1 x\n"])
def test_ids_that_are_not(folder, text):
    notes = []
    list(read([folder("f", text)], "mikolov", notes=notes))
    assert notes == []


# --- the format of a list, judged by its first lines -----------------------------------------------------------------

JUDGED = {
    "mikolov": ["u1 the cat\nu1 a cat\nu2 the dog\n", "u-1 the cat\nu-1\n", "\n1 2 3\n1 4 5\n2 7\n"],
    "kaldi": ["a-1 the cat\na-2 a cat\nb-1 the dog\n", "a-1-1 the\na-1-2\na-2-1 b\n"],
    "srilm": ["-1.5 -20 2 the cat\n-2.5 -21 0\n", "NBestList1.0\n(-5) the\n", "NBestList2.0\n(0)\n",
              "-1.5 -20 2 <s> the cat </s>\n-1.5 -20 2 the cat\n"],
    "srilm-stream": ["u1 -1.5 -20 2 the cat\nu1 -1.5 -20 0\n", "7 -1.5 -20 3 1 2 3\n7 -1 -20.0 1 x\n"],
    "moses": ["0 ||| the cat ||| LM0= -2 ||| -1\n"],
}  # fmt: skip


@pytest.mark.parametrize(("form", "text"), [(form, text) for form, texts in JUDGED.items() for text in texts])
def test_a_format_is_judged_by_the_first_lines(folder, form, text):
    found, begun = guessed(folder("f", text))
    assert found == form
    begun = list(begun)
    assert [line.text for line in begun] == text.splitlines()
    if text.strip() == text.rstrip("\n"):  # otherwise an empty line is an error, as it is in a list of a known format
        assert list(read(["f"], form, begun=begun)) == list(read(["f"], form))


def test_more_lines_than_a_format_is_judged_by(folder):
    text = "".join(f"u{i // 2} the cat\n" for i in range(3 * JUDGED_BY))
    form, begun = guessed(folder("f", text))
    assert (
        sum(len(nbest.hypotheses) for nbest in read(["f", folder("g", "z a\n")], form, begun=begun))
        == 3 * JUDGED_BY + 1
    )


@pytest.mark.parametrize(
    ("text", "candidates"),
    [
        ("u1 the cat\nu2 the dog\n", ["mikolov"]),  # perhaps no lists at all, but a text
        ("u-1 the cat\n", ["mikolov", "kaldi"]),
        ("a-2 the\na-1 cat\nb-7 x\n", ["mikolov", "kaldi"]),
        ("1.5 2.5 2 1 x\n-1 -2.5 1 0\n", ["srilm", "srilm-stream"]),
    ],
)
def test_what_is_not_plain_is_an_error_that_names_the_candidates(folder, text, candidates):
    name = folder("f", text)
    with pytest.raises(DataError, match="f:1: the format is not plain") as error:
        guessed(name)
    assert all(f"{form}, '" in error.value.message for form in candidates)
    assert "--format" in error.value.hint


@pytest.mark.parametrize("text", ["", "\n\n"])
def test_nothing_has_no_format(folder, text):
    with pytest.raises(DataError, match="f: no hypotheses"):
        guessed(folder("f", text))


def test_a_wrong_line_behind_others_is_told_as_in_a_list_of_that_format(folder):
    form, begun = guessed(folder("f", "-1.5 -20 2 the cat\n-1.5 -20 7 the cat\n"))
    with pytest.raises(DataError, match="f:2: .*as many words"):
        list(read(["f"], form, begun=begun))


def test_noise_that_is_not_counted_is_no_word_of_another_format(folder):
    text = "u -1.5 -20 2 uh the [laugh] cat\nu -1.5 -20 1 uh cat\n"
    form, begun = guessed(folder("f", text))
    (nbest,) = read(["f"], form, begun=begun, noise={"uh", "[laugh]"})
    assert [h.words for h in nbest.hypotheses] == [["the", "cat"], ["cat"]]

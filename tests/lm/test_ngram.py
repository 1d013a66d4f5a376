"""Kneser-Ney against its definition, ARPA files against kenlm, and whatever may be wrong with one."""

import gzip
import importlib.util
import io
import math
import random
from collections import Counter, defaultdict

import numpy as np
import pytest

from rnnlm.errors import DataError, UsageError
from rnnlm.lm import arpa, kneser_ney, ngram
from rnnlm.lm.kneser_ney import estimate, read
from rnnlm.lm.ngram import Ngram
from rnnlm.text.vocab import EOS, OOV, SPECIALS, UNK, Vocabulary


def text(number, seed=1):
    """Sentences of a chain of words with a long tail, `<unk>` among them, so that all discounts can be estimated."""
    rng = random.Random(seed)
    words = [f"w{i}" for i in range(40)] + ["<unk>"]
    sentences = []
    for _ in range(number):
        sentence = [rng.choice(words)]
        while rng.random() < 0.85:
            likely = words[(words.index(sentence[-1]) * 7 + 1) % len(words)]
            sentence.append(likely if rng.random() < 0.4 else words[min(int(rng.expovariate(0.15)), len(words) - 1)])
        sentences.append(sentence)
    return sentences


def write_text(path, sentences):
    path.write_text("".join(" ".join(words) + "\n" for words in sentences))
    return path


@pytest.fixture(scope="module")
def train(tmp_path_factory):
    return write_text(tmp_path_factory.mktemp("ngram") / "train.txt", text(600))


TEST = [*text(60, seed=2), [], ["w3"], ["unheard", "w1", "w2", "unheard"], ["<s>", "</s>", "w1"]]


def definition(sentences, order, V, thresholds):
    """p(word | context) by Chen & Goodman's equations, over dictionaries of tuples."""
    raw = Counter()
    for words in sentences:
        words = ("<s>", *words, "</s>")
        raw.update(words[i : i + n] for n in range(1, order + 1) for i in range(len(words) - n + 1))
    a = {n: {} for n in range(1, order + 1)}
    for g, number in raw.items():
        if len(g) == order or g[0] == "<s>":
            a[len(g)][g] = number
        if len(g) > 1 and g[1] != "<s>":
            a[len(g) - 1][g[1:]] = a[len(g) - 1].get(g[1:], 0) + 1
    a[1].pop(("<s>",))
    D = {}
    for n in a:
        n1, n2, n3, n4 = (sum(x == k for x in a[n].values()) for k in (1, 2, 3, 4))
        if n == 1:  # here all words are frequent
            D[n] = [0, *kneser_ney.FALLBACK]
            continue
        Y = n1 / (n1 + 2 * n2)
        D[n] = [0, 1 - 2 * Y * n2 / n1, 2 - 3 * Y * n3 / n2, 3 - 4 * Y * n4 / n3]
    after = defaultdict(list)
    for n in a:
        for g, number in a[n].items():
            after[g[:-1]].append((g, number))

    def p(word, context):
        n = len(context) + 1
        if n == 0 or not after[context]:
            return p(word, context[1:]) if context else 1 / V
        total, left, own = 0, 0, 0
        for g, number in after[context]:
            taken = number if raw[g] <= thresholds[n - 1] else D[n][min(number, 3)]
            total, left = total + number, left + taken
            own = number - taken if g[-1] == word else own
        return own / total + left / total * (p(word, context[1:]) if context else 1 / V)

    return p


@pytest.mark.parametrize(("order", "prune"), [(1, ()), (2, ()), (3, ()), (3, (0, 1)), (4, (0, 0, 1, 2))])
def test_modified_kneser_ney_is_its_definition(train, order, prune):
    ids, vocab = read([train])
    model = estimate(ids, vocab, order, prune)
    assert [own for _, own in model.discounts] == [n > 1 for n in range(1, order + 1)]
    sentences = [line.split() for line in train.read_text().splitlines()]
    thresholds = [*prune, *[prune[-1] if prune else 0] * order]
    p = definition(sentences, order, len(vocab) - 1, thresholds)
    for words, found in zip(TEST, model.log_probs(TEST)):
        known = ["<s>", *(word if word in vocab.index else "<unk>" for word in words), "</s>"]
        expected = [p(known[i], tuple(known[max(0, i - order + 1) : i])) for i in range(1, len(known))]
        np.testing.assert_allclose(np.exp(found), expected, rtol=1e-10)


@pytest.mark.parametrize(("order", "prune"), [(1, ()), (2, ()), (5, ()), (4, (0, 0, 1))])
def test_probabilities_add_up_to_one(train, order, prune):
    model = estimate(*read([train]), order, prune)
    rows = list(map(np.array, model.distributions(TEST)))
    assert len(rows) == sum(len(words) + 1 for words in TEST)
    np.testing.assert_allclose(np.exp(rows).sum(axis=1), 1, atol=1e-12)
    found = np.concatenate(list(model.log_probs(TEST)))
    ids = [UNK if i == OOV else i for words in TEST for i in [*model.vocab.ids(words), EOS]]
    np.testing.assert_allclose(found, [row[i] for row, i in zip(rows, ids)], atol=1e-12)


def test_a_walk_goes_word_by_word(train):
    model = estimate(*read([train]), 3)
    for words, log_p in zip(TEST, model.log_probs(TEST)):
        walk = model.walk()
        for word, expected in zip(words, log_p):
            assert walk.log_p[model.vocab.index.get(word, UNK)] == pytest.approx(expected, abs=1e-12)
            walk = walk.after(word)
        assert walk.log_p[EOS] == pytest.approx(log_p[-1], abs=1e-12)


def test_where_blocks_are_cut_makes_no_difference(train, monkeypatch):
    model = estimate(*read([train]), 3)
    expected = list(model.log_probs(TEST))
    monkeypatch.setattr(ngram, "BLOCK", 5)
    for found, log_p in zip(model.log_probs(iter(TEST)), expected):
        np.testing.assert_array_equal(found, log_p)
    assert list(model.log_probs([])) == []


def test_a_vocabulary_may_be_given(train):
    vocab = Vocabulary([*SPECIALS, "w1", "w2", "w3", "never"], [0] * 7)
    ids, _ = read([train], vocab)
    model = estimate(ids, vocab, 3)
    assert [len(order.keys) for order in model.orders[:1]] == [7]
    p = np.exp(model.walk().log_p)
    assert p.sum() == pytest.approx(1, abs=1e-12)
    assert p[0] == 0
    assert 0 < p[6] < p[3]  # never seen, and less likely than what was
    lower = Vocabulary([*SPECIALS, "w1"], [0] * 4, lower=True)
    capitals = train.with_name("capitals.txt")
    capitals.write_text("W1 w1 W2\n\n")
    assert read([capitals], lower)[0].tolist() == [3, 3, 2, 1]
    assert read([capitals, capitals])[1].words == [*SPECIALS, "W1", "W2", "w1"]


def test_a_small_text_has_discounts_that_are_not_its_own(train):
    small = write_text(train.with_name("small.txt"), [["a", "b"], ["b"]])
    model = estimate(*read([small]), 5)
    assert model.discounts == [(kneser_ney.FALLBACK, False)] * 5
    for row in model.distributions([["a", "b", "c", "a"], ["b"]]):
        assert np.exp(row).sum() == pytest.approx(1, abs=1e-12)
    assert [len(order.keys) for order in model.orders] == [5, 4, 3, 1, 0]  # <s> a b </s> is all there is
    found, expected = (
        list(scorer.log_probs([["a", "b", "b", "b", "a"]])) for scorer in (arpa_round_trip(model), model)
    )
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("prune", [(1,), (0, 2, 1), (0, -1)])
def test_prune_must_begin_with_0_and_never_fall(train, prune):
    with pytest.raises(UsageError, match=f"prune {' '.join(map(str, prune))}: .*never fall"):
        estimate(*read([train]), 3, prune)


def test_a_text_without_sentences(tmp_path):
    (tmp_path / "empty.txt").write_text("\n \n")
    with pytest.raises(DataError, match=r"empty.txt: no sentences \(.*2 empty lines\)"):
        read([tmp_path / "empty.txt"])


# --- ARPA files ----------------------------------------------------------------------------------------------------


def arpa_round_trip(model):
    file = io.BytesIO()
    arpa.write(model, file)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(file.getvalue())))
        return arpa.load("-")


@pytest.mark.parametrize(("order", "prune"), [(1, ()), (3, ()), (5, (0, 0, 1))])
def test_what_is_written_is_read(train, order, prune, monkeypatch):
    model = estimate(*read([train]), order, prune)
    monkeypatch.setattr(arpa, "LINES", 7)
    again = arpa_round_trip(model)
    assert again.vocab.words == model.vocab.words
    for found, expected in zip(again.orders, model.orders):
        np.testing.assert_array_equal(found.keys, expected.keys)
        np.testing.assert_allclose(found.log_p, expected.log_p, atol=3e-7)
        np.testing.assert_allclose(found.backoff, expected.backoff, atol=3e-7)


def test_gzipped_files_are_alike_byte_for_byte(train, tmp_path):
    model = estimate(*read([train]), 2)
    for name in ("a.arpa.gz", "b.gz", "plain"):
        arpa.save(model, tmp_path / name)
    assert (tmp_path / "a.arpa.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()
    assert gzip.decompress((tmp_path / "b.gz").read_bytes()) == (tmp_path / "plain").read_bytes()
    assert arpa.is_arpa(tmp_path / "b.gz")
    np.testing.assert_allclose(arpa.load(tmp_path / "b.gz").orders[1].log_p, model.orders[1].log_p, atol=3e-7)


@pytest.mark.skipif(not importlib.util.find_spec("kenlm"), reason="kenlm is not installed")
@pytest.mark.parametrize(("order", "prune"), [(2, ()), (5, ()), (4, (0, 0, 1))])
def test_kenlm_gives_the_same_figures(train, tmp_path, order, prune):
    import kenlm

    model = estimate(*read([train]), order, prune)
    arpa.save(model, tmp_path / "kn.arpa")
    theirs = kenlm.LanguageModel(str(tmp_path / "kn.arpa"))
    sentences = [words for words in TEST if "<s>" not in words]  # which kenlm takes for a control symbol
    for scorer in (model, arpa.load(tmp_path / "kn.arpa")):
        for words, log_p in zip(sentences, scorer.log_probs(sentences)):
            expected = [log10 for log10, _, _ in theirs.full_scores(" ".join(words))]
            np.testing.assert_allclose(log_p / math.log(10), expected, atol=1e-5)


OTHERS = {  # the same model as various programs write it
    "kenlm": "\\data\\\nngram 1=4\nngram 2=3\n\n\\1-grams:\n0\t<unk>\t0\n0\t<s>\t-0.3\n-0.5\t</s>\t0\n-0.6\ta\t-0.2\n\n"
             "\\2-grams:\n-0.1\t<s> a\t0\n-0.4\ta a\t0\n-0.7\ta </s>\t0\n\n\\end\\\n",
    "srilm": "\n\\data\\\nngram 1=3\nngram 2=3\n\n\\1-grams:\n-0.5\t</s>\n-99\t<s>\t-0.3\n-0.6\ta\t-0.2\n\n"
             "\\2-grams:\n-0.1\t<s> a\n-0.7\ta </s>\n-0.4\ta a\n\n\\end\\\n",
    "blanks": "made by hand\n\\data\\\n ngram  1 = 4 \nngram 2= 3\n\\1-grams:\n-99 <UNK>\n\n-99 <s>  -0.3\r\n"
              "-5e-1 </s>\n  -.6 a -0.2\n\\2-grams:\n-0.4 a a\n\n-0.7 a </s>\n\n\n-0.1 <s>\ta\n\\end\\",
    "no blank": "\\data\\\nngram 1=3\nngram 2=3\n\\1-grams:\n-99\t<s>\t-0.3\n-0.6\ta\t-0.2\n-0.5\t</s>\n"
                "\\2-grams:\n-0.7\ta </s>\n-0.1\t<s> a\n-0.4\ta a\n\\end\\\n\n\n",
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_the_files_of_others(name, tmp_path):
    (tmp_path / "model").write_bytes(OTHERS[name].encode())
    assert arpa.is_arpa(tmp_path / "model")
    model = arpa.load(tmp_path / "model")
    assert model.vocab.words == [*SPECIALS, "a"]
    sentences = [["a", "a"], [], ["b", "a"]]
    first, empty, unknown = (log_p / math.log(10) for log_p in model.log_probs(sentences))
    np.testing.assert_allclose(first, [-0.1, -0.4, -0.7], atol=1e-12)
    np.testing.assert_allclose(empty, [-0.3 - 0.5], atol=1e-12)
    if name == "kenlm":
        assert unknown[0] == pytest.approx(-0.3, abs=1e-12)
    else:
        assert unknown[0] == -math.inf
    np.testing.assert_allclose(unknown[1:], [-0.6, -0.7], atol=1e-12)


def test_words_are_separated_as_other_programs_do(tmp_path):
    wide = OTHERS["srilm"].replace("\ta\t", "\ta\u00a0\u3000b\t").replace("a a", "a\u00a0\u3000b a\u00a0\u3000b")
    wide = wide.replace("<s> a", "<s> a\u00a0\u3000b").replace("\ta </s>", "\ta\u00a0\u3000b </s>")
    (tmp_path / "model.arpa").write_text(wide, encoding="utf-8")
    assert arpa.load(tmp_path / "model.arpa").vocab.words == [*SPECIALS, "a\u00a0\u3000b"]


GOOD = OTHERS["srilm"].lstrip("\n").splitlines()
BROKEN = [  # (line, what stands there instead or None, line of the error, words of the message)
    (1, "data", 15, "the end of the file, expected \\data\\"),
    (2, "ngram 2=3", 2, "'ngram 2=3', expected 'ngram 1='"),
    (2, "ngram 1=x", 2, "'ngram 1=x', expected 'ngram 1='"),
    (3, "ngram 3=3", 3, "'ngram 3=3', expected 'ngram 2='"),
    (2, "ngram 1=2", 8, "'-0.6\\ta\\t-0.2', expected the end of 2 1-grams"),
    (2, "ngram 1=9", 10, "'\\\\2-grams:', expected 9 1-grams"),
    (2, "ngram 1=9999999999999", 10, "expected 9999999999999 1-grams as \\data\\ says, found 3"),
    (5, "\\2-grams:", 5, "'\\\\2-grams:', expected \\1-grams:"),
    (5, "1-grams:", 5, "'1-grams:', expected 'ngram 3='"),
    (6, "-0.5", 6, "'-0.5', expected log10 p, a word"),
    (6, "-0.5 a b c", 6, "'-0.5 a b c', expected log10 p, a word"),
    (8, "-0.6\t</s>\t-0.2", 8, "expected each word once"),
    (7, "-0.1\tb", 10, "expected <s> among the 1-grams"),
    (6, "0,5\t</s>", 6, "'0,5\\t</s>', expected a number for log10 p"),
    (6, "-1_0\t</s>", 6, "expected a number for log10 p"),
    (6, "nan\t</s>", 6, "expected a number for log10 p"),
    (6, "0.5\t</s>", 6, "not above 0"),
    (8, "-0.6\ta\tx", 8, "expected a number for a backoff weight"),
    (8, "-0.6\ta\tinf", 8, "expected a number for a backoff weight"),
    (11, "-0.1\t<s> b", 11, "expected words that are among the 1-grams"),
    (11, "-0.1\t<s>", 11, "expected log10 p, 2 words"),
    (13, "-0.4\ta a\t-1", 13, "no backoff weight of the longest n-grams"),
    (13, "-0.4\t<s> a", 13, "2-gram '<s> a', expected it once, it is in line 11"),
    (13, None, 14, "expected 3 2-grams as \\data\\ says, found 2"),
    (15, None, 14, "the end of the file, expected \\end\\"),
    (15, "\\3-grams:", 15, "'\\\\3-grams:', expected \\end\\"),
    (15, "\\end\\\nmore", 16, "'more', expected nothing"),
]


@pytest.mark.parametrize(("line", "instead", "where", "words"), BROKEN, ids=[f"{row[0]}-{row[1]}" for row in BROKEN])
def test_what_may_be_wrong_with_a_file(line, instead, where, words, tmp_path):
    lines = [*GOOD[: line - 1], *([] if instead is None else [instead]), *GOOD[line:]]
    path = tmp_path / "broken.arpa"
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError) as error:
        arpa.load(path)
    assert error.value.message.startswith(f"{path}:{where}: found ")
    assert words in error.value.message
    assert "ARPA" in error.value.hint


def test_orders_without_an_ngram(tmp_path):
    """One may follow another, in a file as in a model estimated from short sentences."""
    path = tmp_path / "sparse.arpa"
    path.write_text("\n".join(GOOD).replace("ngram 2=3", "ngram 2=3\nngram 3=0\nngram 4=0\nngram 5=0").replace(
        "\\end\\", "\\3-grams:\n\n\\4-grams:\n\\5-grams:\n\n\\end\\"
    ))  # fmt: skip
    sparse, model = arpa.load(path), arpa.load(write_text(tmp_path / "two.arpa", [[line] for line in GOOD]))
    sentences = [["a", "a", "a", "b", "a"], [], ["b"]]
    for found, expected in zip(sparse.log_probs(sentences), model.log_probs(sentences)):
        np.testing.assert_array_equal(found, expected)
    for found, expected in zip(sparse.distributions(sentences), model.distributions(sentences)):
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(sparse.walk().after("a").log_p, model.walk().after("a").log_p)
    for found, expected in zip(arpa_round_trip(sparse).orders, sparse.orders):
        np.testing.assert_array_equal(found.keys, expected.keys)


def test_a_context_must_be_listed(tmp_path):
    three = "\n".join(GOOD).replace("ngram 2=3", "ngram 2=3\nngram 3=2").replace(
        "\\end\\", "\\3-grams:\n-0.2\t<s> a a\n-0.3\t<s> </s> a\n\n\\end\\"
    )  # fmt: skip
    path = tmp_path / "broken.arpa"
    path.write_text(three)
    with pytest.raises(DataError, match=r"broken.arpa:18: .*'<s> </s> \.\.\.', expected its context"):
        arpa.load(path)
    path.write_text(three.replace("<s> </s> a", "a a a"))
    model = arpa.load(path)
    assert isinstance(model, Ngram)
    (log_p,) = model.log_probs([["a", "a", "a"]])
    np.testing.assert_allclose(log_p / math.log(10), [-0.1, -0.2, -0.3, -0.7], atol=1e-12)


def test_not_utf8(tmp_path):
    path = tmp_path / "latin.arpa"
    path.write_bytes("\n".join(GOOD).replace("a", "\xe9").encode("latin-1").replace(b"\xe9t\xe9", b"ata"))
    with pytest.raises(DataError, match="latin.arpa:2: byte "):
        arpa.load(path)


@pytest.mark.parametrize("content", [b"", b"PK\3\4 \\data\\", b"plain text\n", b"\x1f\x8bbroken", b"x" * (1 << 17)])
def test_what_is_no_arpa_file(content, tmp_path):
    (tmp_path / "file").write_bytes(content)
    assert not arpa.is_arpa(tmp_path / "file")
    assert not arpa.is_arpa(tmp_path / "gone")
    assert not arpa.is_arpa(tmp_path)

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnlm.errors import DataError, UsageError
from rnnlm.text import white
from rnnlm.text.vocab import EOS, SPECIALS, UNK, OpenVocabulary, Vocabulary, build, count

TEXT = ["the cat sat", "the dog sat on the cat", "", "a <unk> <unk> </s> dog"]


def test_specials_then_most_frequent_then_code_point_order():
    vocab = build(count(TEXT))
    assert vocab.words == ["<s>", "</s>", "<unk>", "the", "cat", "dog", "sat", "a", "on"]
    assert vocab.counts.tolist() == [0, 3, 3, 3, 2, 2, 2, 1, 1]  # <unk>: twice itself, once </s>
    assert vocab.counts.dtype == np.int64
    assert len(vocab) == 9


def test_figures_of_a_text():
    counts = count(TEXT)
    assert (counts.sentences, counts.blank, counts.total, len(counts.tokens)) == (3, 1, 14, 8)
    assert counts.oovs(build(counts)) == 1  # </s> inside a text is not the control symbol
    assert counts.oovs(build(counts, max_size=4)) == 14 - 2 - 3


def test_characters_include_blanks_and_every_script():
    vocab = build(count(["春眠 不覺曉", "\t不", ""], level="char"))
    assert vocab.words[3:] == ["不", "\t", " ", "春", "曉", "眠", "覺"]
    assert vocab.counts[EOS] == 2
    assert build(count(["a", ""], level="char", blank_lines=True)).counts[EOS] == 2


def test_an_empty_line_of_words_is_never_a_sentence():
    counts = count(["a", "  "], blank_lines=True)
    assert (counts.sentences, counts.blank) == (1, 1)


@pytest.mark.parametrize("space", [" ", "\t", "\r", "\x0b", "\x0c"])
def test_ascii_white_space_separates_words(space):
    assert build(count([f"a{space}b"])).words[3:] == ["a", "b"]


@pytest.mark.parametrize("space", [c for c in map(chr, range(0x110000)) if c.isspace() and c not in white.BLANKS])
def test_other_white_space_is_part_of_a_word(space):
    line = f" a{space}b {space} \udc80 c\t"
    assert white.split(line) == [f"a{space}b", space, "\udc80", "c"]
    assert white.split(line, 1) == [f"a{space}b", f"{space} \udc80 c\t"]
    words = build(count([f"a{space}b c"])).words
    assert words[3:] == sorted([f"a{space}b", "c"])
    (note,) = white.note(words)
    assert ascii(f"a{space}b") in note


def test_lower_case_when_asked():
    assert build(count(["The THE the <UNK>"], lower=True)).words[2:] == ["<unk>", "the"]
    assert build(count(["The THE the"])).words[3:] == ["THE", "The", "the"]
    assert Vocabulary([*SPECIALS, "the"], [0] * 4, lower=True).split("THE cat") == ["the", "cat"]


def test_max_size_counts_every_entry_and_the_rest_goes_to_unk():
    vocab = build(count(TEXT), max_size=5)
    assert vocab.words[3:] == ["the", "cat"]
    assert vocab.counts.tolist() == [0, 3, 9, 3, 2]
    assert vocab.counts.sum() == 14 + 3  # nothing is lost: every token and every sentence end


def test_min_count():
    assert build(count(TEXT), min_count=2).words[3:] == ["the", "cat", "dog", "sat"]


def test_kept_words_are_in_whether_seen_or_not():
    vocab = build(count(TEXT), max_size=6, min_count=2, keep=["zebra", "on", "</s>"])
    assert vocab.words[3:] == ["the", "on", "zebra"]
    assert vocab.counts.tolist() == [0, 3, 10, 3, 1, 0]


def test_too_many_words_to_keep():
    with pytest.raises(UsageError) as caught:
        build(count(TEXT), max_size=4, keep=["a", "b"])
    assert all(part in caught.value.message for part in ("4 entries", "3 special tokens", "2 kept words"))


@given(
    st.lists(st.text(alphabet="ab Δx", max_size=8), max_size=12), st.integers(0, 99), st.sampled_from(["word", "char"])
)
def test_the_order_of_lines_does_not_matter(lines, seed, level):
    shuffled = random.Random(seed).sample(lines, len(lines))
    assert build(count(lines, level), max_size=5).to_bytes() == build(count(shuffled, level), max_size=5).to_bytes()


def test_ids():
    vocab = Vocabulary([*SPECIALS, "the"], [0] * 4)
    assert vocab.ids(["the", "cat", "<unk>", "<s>", "</s>"]) == [3, -1, UNK, -1, -1]


def test_ids_as_a_network_reads_them():
    vocab = Vocabulary([*SPECIALS, "the"], [0] * 4)
    ids = vocab.read(["the", "cat", "<unk>", "<s>"])
    assert (ids.tolist(), ids.dtype) == ([3, UNK, UNK, UNK], np.int32)


@given(st.lists(st.text(alphabet="ab <s>/", max_size=12), max_size=12), st.integers(1, 5))
def test_an_open_vocabulary_has_the_counts_of_the_text(lines, block):
    vocab, ids, lengths = OpenVocabulary(), [], []
    for i in range(0, len(lines), block):
        some, n = vocab.encode(lines[i : i + block])
        ids, lengths = ids + some.tolist(), lengths + n.tolist()
    tokens = [token for line in lines for token in vocab.split(line)]
    assert [vocab.words[i] for i in ids] == tokens
    assert lengths == [len(vocab.split(line)) for line in lines]
    assert min(ids, default=UNK) >= UNK  # a literal <s> or </s> is a word like any other
    assert len(set(ids)) == len(set(tokens))


@given(st.lists(st.text(max_size=10)), st.sampled_from(["word", "char"]), st.booleans())
def test_many_lines_are_encoded_like_each(lines, level, lower):
    vocab = build(count(lines[::2], level, lower))
    ids, lengths = vocab.encode(lines)
    expected = [vocab.ids(vocab.split(line)) for line in lines]
    assert ids.tolist() == sum(expected, [])
    assert lengths.tolist() == [len(line) for line in expected]
    assert (ids.dtype, lengths.dtype) == (np.int32, np.int64)


def test_join():
    assert build(count(["a b"])).join(["a", "b"]) == "a b"
    assert build(count(["a b"], level="char")).join(["a", " ", "b"]) == "a b"


def test_the_file_to_the_byte():
    vocab = build(count(["b a b", "ü"]))
    assert vocab.to_bytes() == "<s>\t0\tlevel=word\n</s>\t2\n<unk>\t0\nb\t2\na\t1\nü\t1\n".encode()
    assert build(count(["A"], "char", lower=True)).to_bytes() == b"<s>\t0\tlevel=char lower\n</s>\t1\n<unk>\t0\na\t1\n"


@pytest.mark.parametrize("lower", [False, True])
@pytest.mark.parametrize("level", ["word", "char"])
def test_save_and_load(tmp_path, level, lower):
    vocab = build(count(["a\tb\rc \x0b\0 \x85\u2028A 春", "\t"], level, lower))
    vocab.save(tmp_path / "v.txt")
    again = Vocabulary.load(tmp_path / "v.txt")
    assert (again.words, again.level, again.lower) == (vocab.words, level, lower)
    assert again.counts.tolist() == vocab.counts.tolist()
    assert again.fingerprint == vocab.fingerprint
    assert [path.name for path in tmp_path.iterdir()] == ["v.txt"]


def test_files_edited_elsewhere_are_read():
    data = "\ufeff<s>\t0\r\n</s>\t2\r\n<unk>\t0\r\nthe\t3".encode()
    vocab = Vocabulary.from_bytes(data)
    assert (vocab.words[3:], vocab.counts.tolist(), vocab.level, vocab.lower) == (["the"], [0, 2, 0, 3], "word", False)


def test_the_fingerprint_depends_on_what_decides_about_ids():
    words = [*SPECIALS, "a", "b"]
    prints = {
        Vocabulary(words, [0] * 5).fingerprint,
        Vocabulary(words, [0] * 5, level="char").fingerprint,
        Vocabulary(words, [0] * 5, lower=True).fingerprint,
        Vocabulary([*SPECIALS, "b", "a"], [0] * 5).fingerprint,
    }
    assert len(prints) == 4
    assert Vocabulary(words, [0] * 5).fingerprint == Vocabulary(words, [1] * 5).fingerprint
    assert all(len(bytes.fromhex(each)) == 32 for each in prints)


HEAD = "<s>\t0\n</s>\t1\n<unk>\t0\n"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 1, ["''", "a word, a tab and its count"]),
        ("the cat\n", 1, ["'the cat'", "a tab"]),
        ("the\t1\n", 1, ["'the'", "'<s>'"]),
        ("<s>\t0\tlevel=bytes\n", 1, ["level=bytes"]),
        ("<s>\t0\n</s>\t1\n", 3, ["'<unk>'", "missing"]),
        (HEAD + "the\n", 4, ["'the'", "a tab"]),
        (HEAD + "the\t1\n\ncat\t1\n", 5, ["''", "a tab"]),
        (HEAD + "the\tmany\n", 4, ["many", "count"]),
        (HEAD + "the\t-1\n", 4, ["-1", "count"]),
        (HEAD + "the\t" + "9" * 99, 4, ["9" * 33 + "...", "count"]),
        (HEAD + "the\t1\ncat\t1\nthe\t1\n", 6, ["'the'", "second time"]),
        (HEAD + "<s>\t1\n", 4, ["'<s>'", "second time"]),
        (HEAD + "the cat\t1\n", 4, ["'the cat'", "one word"]),
        (HEAD.replace("0", "0\tlevel=char", 1) + "ab\t1\n", 4, ["'ab'", "one character"]),
        (HEAD.replace("0", "0\tlevel=char", 1) + "\n", 4, ["''", "a character, a tab"]),
    ],
)
def test_broken_files(tmp_path, text, line, words):
    path = tmp_path / "v.txt"
    path.write_text(text)
    with pytest.raises(DataError) as caught:
        Vocabulary.load(path)
    assert caught.value.message.startswith(f"{path}:{line}: ")
    assert all(word in caught.value.message for word in words)
    assert "`rnnlm vocab`" in caught.value.hint


def test_a_file_that_is_not_utf_8():
    with pytest.raises(DataError, match=r"^v\.txt:2: .*UTF-8.*0xff"):
        Vocabulary.from_bytes(b"<s>\t0\n\xff", "v.txt")


@given(st.binary() | st.text().map(lambda text: (HEAD + text).encode()))
def test_no_bytes_crash_the_reader(data):
    try:
        vocab = Vocabulary.from_bytes(data)
    except DataError:
        return
    assert Vocabulary.from_bytes(vocab.to_bytes()).fingerprint == vocab.fingerprint


def test_paths_that_cannot_be_used(tmp_path):
    with pytest.raises(DataError, match=f"^{tmp_path}/none.txt: no such file"):
        Vocabulary.load(tmp_path / "none.txt")
    with pytest.raises(DataError, match=f"^{tmp_path}/none/v.txt: cannot be written"):
        build(count(TEXT)).save(tmp_path / "none" / "v.txt")


def test_a_huge_file_is_not_read_to_its_end(tmp_path):
    with open(tmp_path / "v.txt", "wb") as file:
        file.truncate(1 << 40)  # a hole: takes no space
    with pytest.raises(DataError, match=f"^{tmp_path}/v.txt: .*64 MB"):
        Vocabulary.load(tmp_path / "v.txt")

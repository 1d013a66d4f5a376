"""Unknown words of a text, and the note about them."""

import pytest

from rnnlm.text.unknown import SHOWN, UnknownWords
from rnnlm.text.vocab import Vocabulary

WORDS = Vocabulary(["<s>", "</s>", "<unk>", "the", "cat", "猫"], [0] * 6)


def note_of(*lines, vocab=WORDS):
    unknown = UnknownWords(vocab)
    assert [unknown.split(line) for line in lines] == [vocab.split(line) for line in lines]
    return unknown.note


def test_known_words_need_no_note():
    assert note_of("the cat", "", "<unk>") == note_of() == ""


def test_unknown_words_are_counted_and_named():
    assert note_of("the dog", "dog cat", "x") == (
        "warning: 3 of 5 words not in the vocabulary, read as <unk>: 'dog', 'x'"
    )
    many = note_of(" ".join(f"x{i}" for i in range(SHOWN + 9)))
    assert many.endswith(f"'x{SHOWN - 1}', ...")


@pytest.mark.parametrize(
    "line", ["昨天我上学迟到了", "昨天我上学迟到了。", "きのうはあめ", "ราชอาณาจักร", "the 昨天我 cat"]
)
def test_a_sentence_without_blanks_is_to_be_cut_into_words(line):
    assert "blanks between them" in note_of(line)


@pytest.mark.parametrize("line", ["猫", "昨天 迟到", "dog-and-cat", "собака"])
def test_words_of_their_own_are_not(line):
    assert "blanks" not in note_of(line)


def test_a_model_of_characters_reads_any_script():
    characters = Vocabulary(["<s>", "</s>", "<unk>", "a"], [0] * 4, "char")
    assert note_of("昨天我a", vocab=characters) == (
        "warning: 3 of 4 characters not in the vocabulary, read as <unk>: '昨', '天', '我'"
    )

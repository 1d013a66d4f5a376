"""Literal `<s>` and `</s>` in a text: left out around a line, warned of within one."""

import pytest

from rnnlm.text.corpus import encode
from rnnlm.text.unknown import Markers
from rnnlm.text.vocab import EOS, OOV, OpenVocabulary, Vocabulary, build, count, split

VOCAB = Vocabulary(["<s>", "</s>", "<unk>", "the", "cat"], [0] * 5)
LINES = ["<s> the cat </s>", "<s>\tthe", "the </s> ", "the cat", "", "<s> </s>", "<s> the <s> cat </s> </s>"]
BARE = ["the cat", "the", "the", "the cat", "", "", "the <s> cat </s>"]


def test_markers_around_a_line_are_left_out():
    assert [split(line) for line in LINES] == [line.split() for line in BARE]
    assert split("<S> The </S>", lower=True) == ["the"]
    assert split("<s> a", "char") == list("<s> a")
    assert split("<s>") == split("</s>") == []
    assert split("</s> the <s>") == ["</s>", "the", "<s>"]


def test_lines_are_encoded_as_they_are_split(write):
    found = encode([write("\n".join(LINES))], VOCAB)
    assert found.ids.tolist() == [3, 4, EOS, 3, EOS, 3, EOS, 3, 4, EOS, 3, OOV, 4, OOV, EOS]
    assert (found.sentences, found.blank) == (5, 2)
    every = OpenVocabulary()
    text = encode([write("\n".join(LINES))], every)
    counted = build(text.counts(every))
    assert counted.to_bytes() == build(count(LINES)).to_bytes()
    assert counted.counts.tolist() == [0, 5, 2, 5, 3]


def test_they_are_counted_with_the_place_of_the_first_that_are_words(write, blocks_of):
    blocks_of(1)
    paths = [write("\n".join(LINES[:4]), "a.txt"), write("\n".join(LINES[4:]), "b.txt")]
    markers = encode(paths, VOCAB).markers
    assert (markers.lines, markers.begins, markers.ends, markers.within) == (6, 4, 4, 2)
    note, warning = markers.notes
    assert note.startswith("note: ")
    assert "<s> begins 4 of 6 lines, </s> ends 4 of 6 lines" in note
    assert warning.startswith(f"warning: {paths[1]}:3: ")
    assert "the first of 2" in warning


def test_other_texts_need_no_note(write):
    assert encode([write("the cat\n<sos> the class> </sos>\n")], VOCAB).markers.notes == []


@pytest.mark.parametrize(("lines", "warned"), [(["<s> a </s>"] * 20, True), (["<s>a</s>", "b", "c"], False)])
def test_to_a_model_of_characters_they_are_text(lines, warned):
    markers = Markers("char")
    assert list(markers.watch(lines, "text")) == lines
    assert bool(markers.notes) == warned
    assert all(note.startswith("warning: ") for note in markers.notes)

"""Chinese sentences: equal every time, none in two parts, and each names at its end who it began with."""

import hashlib

from rnnlm.corpora import PARTS, chinese


def test_each_sentence_is_in_one_part():
    parts = chinese.chinese()
    assert list(parts) == list(PARTS)
    lines = [line for part in PARTS for line in parts[part]]
    assert len(lines) == len(set(lines)) == sum(chinese.SIZES.values())
    assert {part: len(found) for part, found in parts.items()} == chinese.SIZES
    assert chinese.SENTENCE in parts["test"]
    assert {6, 14} == {min(len(line.split()) for line in lines), max(len(line.split()) for line in lines)}
    words = [{word for line in parts[part] for word in line.split()} for part in PARTS]
    assert words[0] == words[0] | words[1] | words[2]


def test_the_last_word_is_who_the_sentence_began_with():
    for line in chinese.sentences():
        words = line.split()
        assert words[-1] == "。"
        if "，" in words:
            (who,) = [word for word in words[:3] if word in chinese.OBJECTS]
            assert words[-2] == chinese.OBJECTS[who]


def test_it_is_the_same_every_time():
    text = "\n".join(chinese.chinese()["train"])
    assert hashlib.sha256(text.encode()).hexdigest()[:12] == "11e958849721"

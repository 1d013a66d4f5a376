"""Chinese sentences about what somebody did, and who praised or criticised them for it. Equal in every run."""

from __future__ import annotations

import itertools
import random

from rnnlm.corpora import PARTS

SENTENCE = "我 昨天 上学 迟到 了 ， 老师 批评 了 我 。"  # of the tutorials; kept for the test text
OBJECTS = {
    "我": "我", "你": "你", "他": "他", "她": "她", "我们": "我们", "他们": "他们", "小明": "他", "小红": "她",
    "哥哥": "他", "姐姐": "她", "弟弟": "他", "妹妹": "她",
}  # who did it -> the word for them at the end  # fmt: skip
TIMES = ("昨天", "今天", "前天", "早上", "上午", "下午", "上周")
SCHOOL, HOME = ("老师",), ("妈妈", "爸爸")
DEEDS = {
    ("批评", SCHOOL): ("上学 迟到 了", "上课 睡着 了", "忘 了 写 作业", "忘 了 带 书"),
    ("表扬", SCHOOL): ("考试 得 了 第一", "写 完 了 作业", "帮助 了 同学", "回答 了 问题"),
    ("批评", HOME): ("回家 晚 了", "打碎 了 杯子", "弄丢 了 钥匙"),
    ("表扬", HOME): ("打扫 了 房间", "洗 了 碗", "做 了 晚饭"),
}
FORMS = (
    "{who} {time} {deed} ， {by} {verb} 了 {whom} 。",
    "{time} {who} {deed} ， {by} {verb} 了 {whom} 。",
    "因为 {who} {time} {deed} ， 所以 {by} {verb} 了 {whom} 。",
    "{who} {time} {deed} 。",
)
SIZES = {"valid": 300, "test": 300, "train": 4_000}


def chinese() -> dict[str, list[str]]:
    """Sentences of 6 to 14 words, such as the one of the tutorials, SENTENCE, which is in the test text alone.

    The last word before the full stop names who the sentence began with, by a pronoun: what a network has to remember.
    No sentence is in two parts.
    """
    rng, every = random.Random(1), sorted(set(sentences()) - {SENTENCE})
    rng.shuffle(every)
    parts = {}
    for part, size in SIZES.items():
        parts[part], every = every[:size], every[size:]
    parts["test"][0] = SENTENCE
    return {part: parts[part] for part in PARTS}


def sentences() -> list[str]:
    """All sentences; the shortest ones are there more than once."""
    return [
        form.format(who=who, whom=whom, time=time, deed=deed, by=by, verb=verb)
        for form, (who, whom), time, ((verb, place), deeds) in itertools.product(
            FORMS, OBJECTS.items(), TIMES, DEEDS.items()
        )
        for deed in deeds
        for by in place
    ]

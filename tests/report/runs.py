"""Runs of tiny networks of every task, for tests of their reports, and texts that would be HTML."""

import random

import numpy as np

from rnnlm import config
from rnnlm.experiment import Config, prepare
from rnnlm.training.run import Run
from tests.conftest import sentence
from tests.kinds import NOUNS, SETTINGS, lines_of

LM = {"embedding": 6, "cell": {"size": 8}}
MODELS = {
    "stream": ("stream", LM),
    "sentences": ("sentences", {"cell": {"kind": "lstm", "size": 8}}),
    "char": ("stream", LM),
    **{reading: (reading, settings) for reading, settings in SETTINGS.items()},
    "trees": ("trees", {"kind": "tree", "embedding": 6, "compose": {"kind": "recursive", "size": 6}}),
}
HOSTILE = [
    "<script>alert(1)</script>",
    "<img/src=x/onerror=alert(1)>",
    "</script><script>alert(2)</script>",
    "<!--",
    "{{7*7}}",
    "{%raw%}",
    "\u202egnp.exe",
    "\u05e9\u05dc\u05d5\u05dd\u200f",
    "\x1b[31mred\x07",
    "&lt;b&gt;",
    "'\"`onmouseover=alert(3)",
    "long" + "g" * 9996,
]


def lines_for(name, number, seed):
    """Lines of text for the model of a name."""
    if name in SETTINGS:
        return list(lines_of(name, number, seed))
    rng = random.Random(seed)
    if name == "trees":
        return [f"({rng.choice('01')} (0 {rng.choice(NOUNS)}) (1 {rng.choice(NOUNS)}))" for _ in range(number)]
    return [sentence(rng) for _ in range(number)]


def hostile_lines(number, seed):
    """Sentences in which every hostile word occurs."""
    rng = random.Random(seed)
    lines = [f"{word} likes a {other} \U0001f431 , 中文 ." for word, other in zip(HOSTILE, reversed(HOSTILE))]
    return lines + [f"the {rng.choice(HOSTILE[:5])} sees a cat now" for _ in range(number - len(lines))]


def train(folder, name="stream", lines=lines_for, **data):
    """Train the model of a name in a folder, on texts beside the run; -> the run directory."""
    reading, model = MODELS[name]
    for seed, (part, number) in enumerate((("train", 150), ("valid", 20))):
        text = lines(name, number, seed) if lines is lines_for else lines(number, seed)
        (folder / f"{part}.txt").write_text("\n".join(text) + "\n", encoding="utf-8")
        nouns = np.array([[word in line.split() for word in NOUNS] for line in text])
        np.save(folder / f"{part}.npy", nouns.astype(np.float32))
    settings = {
        "data": {"train": str(folder / "train.txt"), "valid": str(folder / "valid.txt"), "reading": reading, **data},
        "model": model,
        "optimizer": {"kind": "adam", "lr": 0.02},
        "training": {"epochs": 3, "batch": 8, "window": 10, "log_every": 5},
    }
    if name == "char":
        settings["data"]["level"] = "char"
    experiment, run = prepare(config.build(Config, settings)), Run(folder / "run")
    with run.lock():
        run.begin(experiment, ["train", "tiny.yaml"])
        for _ in run.train(experiment):
            pass
    return run.path

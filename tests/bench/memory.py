"""Peak memory and time of the commands against the size of the text."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from tests.bench.table import Settings, Table, spread

TYPES = 20_000
LINE = 20  # words
POLL = 0.01  # seconds
RNNLM = [sys.executable, "-m", "rnnlm"]
ENCODE = """
import sys
from rnnlm.text.corpus import encode
from rnnlm.text.vocab import Vocabulary
encode([sys.argv[1]], Vocabulary.load(sys.argv[2]))
"""


class Cost(NamedTuple):
    """What a process took: seconds, and at its peak bytes of memory."""

    seconds: float
    resident: float
    private: float
    anonymous: float


def run(settings: Settings) -> None:
    table = Table(
        "memory: peak and time against the size of the text",
        f"Text of {TYPES:,} types; K=10,000 H=200, 20x35, SGD. Resident: all that is in memory, with shared libraries\n"
        "and mapped files. Private: of this process alone, pages of mapped files included, which the system may drop.\n"
        f"Anonymous: without those. The last two are looked at every {1000 * POLL:.0f} ms.",
        {"command": 40, "text, MB": 5, "s": 19, "resident, MB": 6, "private, MB": 6, "anonymous, MB": 6},
    )
    with tempfile.TemporaryDirectory() as folder:
        for size in (1, 10) if settings.quick else (1, 10, 100):
            text = Path(folder, f"{size}.txt")
            write_text(text, size * 10**6)
            for name, command in commands(text, "1s" if settings.quick else "5s"):
                costs = [measure(command) for _ in range(min(settings.repeats, 3))]
                seconds, *peaks = map(spread, zip(*costs))
                table.row(name, size, seconds, *(f"{peak.median / 1e6:.1f}" for peak in peaks))


def commands(text: Path, limit: str) -> list[tuple[str, list[str]]]:
    """(name, command) in the order in which they are to be run."""
    vocab, config = text.with_suffix(".vocab"), text.with_suffix(".yaml")
    settings = {
        "data": {"train": str(text), "vocab": str(vocab)},
        "model": {"embedding": 200, "cell": {"size": 200}},
        "training": {"epochs": 1000, "samples": 0},
    }
    config.write_text(json.dumps(settings))  # JSON is YAML
    train = [*RNNLM, "train", str(config)]
    output = [f"--max-time={limit}", "--force", "-o", str(text.with_suffix(""))]
    return [
        ("rnnlm vocab", [*RNNLM, "vocab", str(text), "-o", str(vocab), "--max-size=10000", "--force"]),
        ("encoding", [sys.executable, "-c", ENCODE, str(text), str(vocab)]),
        ("rnnlm train --dry-run", [*train, "--dry-run"]),
        (f"rnnlm train --max-time={limit}", [*train, *output]),
    ]


def measure(command: list[str]) -> Cost:
    """Run a command to its end. Raises CalledProcessError when it fails."""
    start, peaks = time.perf_counter(), [0, 0]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            break
        peaks = list(map(max, peaks, memory(process.pid)))
        time.sleep(POLL)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Cost(seconds, 1024 * usage.ru_maxrss, *peaks)


def memory(pid: int) -> tuple[int, int]:
    """Bytes that are private to a process now, and those of them that belong to no file; of one that has ended, 0."""
    kilobytes: dict[str, int] = {}
    with contextlib.suppress(OSError):
        found = re.findall(r"^(\w+): +(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
        kilobytes = {name: int(n) for name, n in found}
    private = kilobytes.get("Private_Clean", 0) + kilobytes.get("Private_Dirty", 0)
    return 1024 * private, 1024 * kilobytes.get("Anonymous", 0)


def write_text(path: Path, size: int) -> None:
    """Lines of words whose probability falls as 1 / rank: `size` bytes, or a little more."""
    rng = random.Random(1)
    syllables = ["".join(pair) for pair in itertools.product("bcdfghjklmnprstvwz", "aeiou")]
    longer = ("".join(some) for n in (1, 2, 3) for some in itertools.product(syllables, repeat=n))
    words = list(itertools.islice(longer, TYPES))
    cumulative = list(itertools.accumulate(1 / rank for rank in range(1, TYPES + 1)))
    with open(path, "w", encoding="utf-8") as file:
        while file.tell() < size:
            drawn = rng.choices(words, cum_weights=cumulative, k=1000 * LINE)
            file.writelines(" ".join(drawn[i : i + LINE]) + "\n" for i in range(0, len(drawn), LINE))

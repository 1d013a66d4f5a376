"""Sweeps: values, ranges, draws, names, and every mistake at once."""

import math

import pytest

from rnnlm import config
from rnnlm.errors import UsageError
from rnnlm.experiment import Config
from rnnlm.recipes.sweep import LONGEST, MOST, Range, axis, short_names, trainings
from tests.conftest import TINY


def read(overrides):
    return config.parse(TINY, "tiny.yaml", Config, overrides)[0]


def mistakes(*texts, **options):
    with pytest.raises(UsageError) as error:
        trainings(texts, read, **options)
    return error.value.message.splitlines()


@pytest.mark.parametrize(("text", "items"), [
    ("optimizer.lr=1e-3,2e-3", ["1e-3", "2e-3"]),
    ("optimizer.lr= 1e-3 , 2e-3", ["1e-3", "2e-3"]),
    ("model.cell={kind: lstm, size: 5},gru", ["{kind: lstm, size: 5}", "gru"]),
    ("data.train=[a.txt, b.txt],c.txt", ["[a.txt, b.txt]", "c.txt"]),
    ("data.valid='a,b.txt',../c d.txt,null", ["'a,b.txt'", "../c d.txt", "null"]),
    ("data.valid=文,本", ["文", "本"]),
    ("seed=1..3,7", [Range(("1", "3"), 1, 3, False, True), "7"]),
    ("optimizer.lr=1e-4..1e-2 log", [Range(("1e-4", "1e-2"), 1e-4, 1e-2, True, False)]),
    ("data.valid=a..b,..,1..b", ["a..b", "..", "1..b"]),
])  # fmt: skip
def test_values(text, items):
    assert axis(text) == (text.partition("=")[0], items)


@pytest.mark.parametrize("text", [
    "optimizer.lr", "=1", "optimizer..lr=1", "optimizer.lr=", "optimizer.lr= ", "optimizer.lr=1,,2", "optimizer.lr={1",
    "optimizer.lr=1],[2", "optimizer.lr=2..1", "optimizer.lr=1..1", "optimizer.lr=0..1 log", "optimizer.lr=-2..-1 log",
])  # fmt: skip
def test_what_no_list_of_values_is(text):
    with pytest.raises(UsageError, match="--set"):
        axis(text)


def test_all_combinations_in_order():
    found = trainings(["optimizer.lr=1e-3,1e-2", "training.epochs=3", "model.cell.size=4..6"], read)
    assert list(found) == [f"lr={lr},size={size}" for lr in ("1e-3", "1e-2") for size in (4, 5, 6)]
    assert found["lr=1e-2,size=5"] == {"optimizer.lr": "1e-2", "training.epochs": "3", "model.cell.size": "5"}


def test_seeds_come_outermost():
    found = trainings(["optimizer.lr=1e-3,1e-2"], read, seeds="1..2,7")
    assert [(setting["seed"], setting["optimizer.lr"]) for setting in found.values()] == [
        (seed, lr) for seed in ("1", "2", "7") for lr in ("1e-3", "1e-2")
    ]
    assert list(trainings([], read, seeds="4")) == ["seed=4"]


def test_names_do_not_depend_on_the_other_values():
    small = trainings(["optimizer.lr=1e-3,1e-2"], read, seeds="1")
    large = trainings(["optimizer.lr=1e-4,1e-3,1e-2"], read, seeds="1..3")
    assert small.items() <= large.items()


def test_names_are_names_of_files():
    values = ["{kind: lstm, size: 5}", "{kind: lstm, size: 6}", "{ 'kind': lstm, size: 7}", "gru"]
    assert list(trainings([f"model.cell={','.join(values)}"], read)) == [
        "cell=kind-lstm,size-5", "cell=kind-lstm,size-6", "cell=kind-lstm,size-7", "cell=gru",
    ]  # fmt: skip
    alike = list(trainings(["data.train=a/b.txt,a-b.txt,文.txt"], read))
    assert [name.split("~")[0] for name in alike] == ["train=a-b.txt", "train=a-b.txt", "train=文.txt"]
    assert len(set(alike)) == 3
    long = list(trainings([f"data.train={'文' * 200}/a,{'文' * 200}/b"], read))
    assert len(set(long)) == 2
    assert all(len(name.encode()) <= LONGEST for name in long)


def test_short_names():
    paths = ["optimizer.lr", "model.cell.size", "model.encoder.size", "seed"]
    assert list(short_names(paths).values()) == ["lr", "model.cell.size", "model.encoder.size", "seed"]


RANGES = [
    "optimizer.lr=1e-4..1e-2 log", "model.dropout_output=0..0.5", "model.cell.size=4..9", "training.batch=1..64 log",
    "optimizer.kind=adam,adagrad",
]  # fmt: skip


def test_draws():
    found = trainings(RANGES, read, draws=200)
    assert len(found) == 200
    built = [read([f"{path}={value}" for path, value in setting.items()]) for setting in found.values()]
    rates = sorted(one.optimizer.lr for one in built)
    assert 1e-4 <= rates[0] < 2e-4 < rates[40] < rates[160] < 6e-3 < rates[-1] <= 1e-2
    assert rates[100] == pytest.approx(1e-3, rel=0.5)  # the middle by the logarithm
    dropout = [one.model.dropout_output for one in built]
    assert 0 <= min(dropout) < 0.05 < 0.45 < max(dropout) <= 0.5
    assert {one.model.cell.size for one in built} == {4, 5, 6, 7, 8, 9}
    assert sum(one.training.batch <= 8 for one in built) == pytest.approx(100, abs=30)
    assert {one.optimizer.kind for one in built} == {"adam", "adagrad"}
    assert all(len(value) < 10 for setting in found.values() for value in setting.values())


def test_draws_are_those_of_their_seed():
    assert trainings(RANGES, read, draws=9) == trainings(RANGES, read, draws=9, seed=1)
    assert list(trainings(RANGES, read, draws=5).items()) == list(trainings(RANGES, read, draws=9).items())[:5]
    assert trainings(RANGES, read, draws=9, seed=2).keys().isdisjoint(trainings(RANGES, read, draws=9))
    with_seeds = trainings(RANGES, read, draws=3, seeds="1..2")
    assert len({tuple(setting.items())[:-1] for setting in with_seeds.values()}) == 3
    assert len(with_seeds) == 6


def test_a_range_of_integers_is_one_of_numbers_where_the_option_is():
    found = trainings(["optimizer.lr=1..2", "model.cell.size=1..2"], read, draws=20)
    assert {setting["model.cell.size"] for setting in found.values()} == {"1", "2"}
    assert len({setting["optimizer.lr"] for setting in found.values()}) == 20


@pytest.mark.parametrize(
    ("low", "high", "log"), [(0, 1, False), (-3, 7.5, False), (1, 1 + 1e-9, False), (2e-9, 5, True)]
)
def test_draws_stay_in_their_range(low, high, log):
    found = [float(Range((str(low), str(high)), low, high, log, False).draw(i / 997)) for i in range(997)]
    assert low <= min(found) < max(found) <= high
    assert len(set(found)) > 900
    middle = math.sqrt(low * high) if log else (low + high) / 2
    assert sum(x < middle for x in found) == pytest.approx(498, abs=3)


def test_every_mistake_at_once():
    found = mistakes("optimizer.lr=1,x", "model.cell.sise=1,2", "training.batch=0..3 log", "schedule={", "seed")
    words = ["ends above 0", "YAML", "PATH=VALUE", "size=1", "size=2", "'x'"]
    assert [sum(word in line.replace("sise", "size") for line in found) for word in words] == [1] * len(found)


@pytest.mark.parametrize(("texts", "options", "words"), [
    (["optimizer.lr=1e-4..1e-2"], {}, ["optimizer.lr=1e-4..1e-2", "--random"]),
    (["optimizer.lr=1..3"], {}, ["optimizer.lr=1..3", "--random"]),  # no integer
    (["model.cell.size=1..8 log"], {}, ["--random"]),
    (["optimizer.lr=1e-3,0.001"], {}, ["optimizer.lr=1e-3 and optimizer.lr=0.001"]),
    (["model.cell.size=3,4", "model.cell={size: 5}"], {}, ["one configuration"]),
    (["optimizer.lr=1", "optimizer.lr=2"], {}, ["optimizer.lr", "2 times"]),
    (["seed=1,2"], {"seeds": "3..4"}, ["--seeds 3..4", "seed=1"]),
    ([], {"seeds": "a"}, ["--seeds a", "integers"]),
    ([], {"seeds": "1.5,2"}, ["--seeds 1.5,2", "integers"]),
    ([], {"seeds": "-1..1"}, ["seed=-1", "at least 0"]),
    (["model.cell.size=1,2"], {"draws": 3}, ["--random 3", "only 2"]),
    (["model.cell.size=0..3"], {"draws": 3}, ["at least 1"]),
    ([f"model.cell.size=1..{MOST + 1}"], {}, [f"{MOST:,}"]),
    (["model.cell.size=1..101", "training.batch=1..101"], {}, ["10,201", f"{MOST:,}"]),
    (["model.cell.size=1..101"], {"seeds": "1..100"}, ["10,100", f"{MOST:,}"]),
    (["model.kind=classifier,lm"], {}, ["classifier"]),
])  # fmt: skip
def test_mistakes(texts, options, words):
    (found,) = mistakes(*texts, **options)
    assert [word for word in words if word not in found] == []

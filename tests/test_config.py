"""The configuration loader: what it reads, and what it refuses, where and why."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnlm.config import Choice, Duration, build, dump, load, number, option, parse, plain, seconds
from rnnlm.errors import UsageError


class Layer(Choice):
    """Without a default kind."""


@dataclass(frozen=True)
class Plain(Layer, kind="plain"):
    size: int = option(doc="hidden units", low=1)
    activation: Literal["tanh", "relu"] = option("tanh", "f")


@dataclass(frozen=True)
class Stacked(Layer, kind="stacked"):
    layers: tuple[Layer, ...] = option(doc="from the input upwards")
    dropout: float = option(0.0, "share of units dropped", low=0, below=1)

    def __post_init__(self):
        if not self.layers:
            raise ValueError("layers: expected at least one, found none")
        if len(self.layers) > 3:
            raise ValueError("more than 3 layers")


class Rule(Choice, default="sgd"):
    """With a default kind."""


@dataclass(frozen=True)
class SGD(Rule, kind="sgd"):
    lr: float = option(0.1, "learning rate", above=0)


@dataclass(frozen=True)
class Adam(Rule, kind="adam"):
    lr: float = option(0.001, "learning rate", above=0)
    beta: float = option(0.9, "decay", low=0, below=1)


@dataclass(frozen=True)
class Loop:
    epochs: int = option(10, "passes over the text", low=1, high=1000)
    max_time: Duration | None = option(None, "stop after it", above=0)
    save_every: Duration = option(300.0, "time between checkpoints")
    shuffle: bool = option(False, "in a new order each epoch")


@dataclass(frozen=True)
class Root:
    layer: Layer = option(doc="the network")
    train: list[str] = option(default_factory=list, doc="training text")
    valid: float | str | None = option(None, "text, or a share", above=0, below=1)
    sizes: tuple[int, ...] = option((1, 2), "some sizes", low=1)
    rule: Rule = option(SGD(), "the update rule")
    extra: Layer | None = option(None, "another network")
    start: Layer = option(Plain(7), "another one")
    loop: Loop = option(Loop(), "the loop")
    name: str = option("", "what it is called")
    bits: Literal[16, 32] = option(32, "precision")


@dataclass(frozen=True)
class Scalars:
    """One option of each type of scalar, each of them null if it is absent."""

    integer: int | None = None
    number: float | None = None
    flag: bool | None = None
    text: str | None = None
    time: Duration | None = None
    either: float | str | None = None


@pytest.fixture(autouse=True)
def directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(text, cls=Root, *overrides):
    Path("x.yaml").write_text(text, encoding="utf-8")
    return load("x.yaml", cls, overrides)[0]


def refused(*expected):
    """A context that must raise UsageError with one line for each of `expected`.

    "x.yaml:3: loop.epoch: ... known ... did you mean" wants a line that begins so and has the other words.
    """
    patterns = [".*".join(map(re.escape, parts)) for parts in (line.split(" ... ") for line in expected)]
    return pytest.raises(UsageError, match="^" + ".*\n".join(patterns) + ".*$")


LAYER = "layer: {kind: plain, size: 3}\n"


# --- What is read ---


def test_every_type_of_value():
    text = """
        layer:
          kind: stacked
          layers:
          - kind: plain
            size: 3
          - {kind: plain, size: 0004, activation: relu}
          dropout: 5e-1
        train: [a.txt, 2024, "b: c"]
        valid: valid.txt
        sizes:
        - 3
        rule: adam
        extra: ~
        loop:
          max_time: 1h30m
          save_every: 90
          shuffle: True
        name: 0123
        bits: 16
        """
    assert read(text) == Root(
        layer=Stacked((Plain(3), Plain(4, "relu")), 0.5),
        train=["a.txt", "2024", "b: c"],
        valid="valid.txt",
        sizes=(3,),
        rule=Adam(),
        extra=None,
        loop=Loop(max_time=Duration(5400.0), save_every=Duration(90.0), shuffle=True),
        name="0123",
        bits=16,
    )


def test_types_are_exact():
    root = read(LAYER + "valid: .5\nrule: {lr: 1}\nsizes: 7\ntrain: a.txt\nloop: {save_every: 2h}")
    assert (root.valid, root.rule, root.sizes, root.train) == (0.5, SGD(1.0), (7,), ["a.txt"])
    assert type(root.rule.lr) is float
    assert root.loop.save_every == 7200
    assert type(root.sizes) is tuple


@pytest.mark.parametrize("more", ["", "loop:\n# epochs: 3\nrule:\n"])
def test_what_is_left_out_has_its_default(more):
    """Even below a title with nothing under it."""
    assert read(LAYER + more) == Root(Plain(3))


def test_what_is_no_list_is_a_list_of_one():
    assert read("layer: {kind: stacked, layers: {kind: plain, size: 2}}").layer == Stacked((Plain(2),))


def test_a_kind_may_be_left_out_where_there_is_a_default():
    assert read(LAYER + "rule: {lr: 0.5}").rule == SGD(0.5)
    assert read(LAYER + "start: {size: 4}").start == Plain(4)  # the default of the option goes first


def test_a_member_stands_for_its_own_kind():
    assert read("size: 4", Plain) == read("{kind: plain, size: 4}", Plain) == Plain(4)
    with refused("x.yaml:1: kind: unknown kind 'stacked' ... known: plain"):
        read("{kind: stacked, size: 4}", Plain)


def test_an_anchor_may_be_used_again():
    text = "layer: &one {kind: plain, size: 3}\nextra: *one"
    assert read(text).extra == Plain(3)
    root = read(text, Root, "layer.size=5")
    assert (root.layer, root.extra) == (Plain(5), Plain(3))
    with refused("x.yaml:1: layer.size: ... 0", "x.yaml:1: extra.size: ... 0"):
        read(text.replace("3", "0"))


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_line_endings_and_byte_order_mark(ending):
    Path("x.yaml").write_bytes(b"\xef\xbb\xbf" + f"layer:{ending}  kind: plain{ending}  size: 3{ending}".encode())
    assert load("x.yaml", Root)[0] == Root(Plain(3))


# --- Scalars ---


@dataclass(frozen=True)
class Open:
    value: bool | int | float | str | None = None


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e-3", 0.001), ("1E5", 1e5), (".5", 0.5), ("1.", 1.0), ("-1", -1.0), ("+2.5e+1", 25.0), ("007", 7.0)],
)
def test_numbers(text, value):
    assert read(f"number: {text}", Scalars).number == number(text) == value


NOT_NUMBERS = [
    "1_000",
    "1:30",
    "0x10",
    ".inf",
    ".nan",
    "nan",
    "1e",
    "e5",
    ".",
    "'1'",
    "true",
    "--1",
    "1e999",
    "9" * 400,
]


@pytest.mark.parametrize("text", NOT_NUMBERS)
def test_not_a_number(text):
    assert number(text) is None
    with refused(f"x.yaml:1: number: expected a number or null, found ... {text[:50].strip(chr(39))}"):
        read(f"number: {text}", Scalars)


@pytest.mark.parametrize("text", ["3.0", "1e3", "'3'", "ten", "true", "9" * 5000])
def test_not_an_integer(text):
    with refused("x.yaml:1: integer: expected an integer or null, found"):
        read(f"integer: {text}", Scalars)


@pytest.mark.parametrize("text", ["true", "True", "TRUE", "false", "False", "FALSE"])
def test_booleans(text):
    assert read(f"flag: {text}", Scalars).flag is (text.lower() == "true")


@pytest.mark.parametrize("text", ["no", "off", "yes", "on", "y", "tRue", "1", "'true'"])
def test_not_a_boolean(text):
    with refused("x.yaml:1: flag: expected true or false or null, found"):
        read(f"flag: {text}", Scalars)


@pytest.mark.parametrize("text", ["", "~", "null", "Null", "NULL"])
def test_null(text):
    assert read(f"integer: {text}\ntext: {text}\neither: {text}", Scalars) == Scalars()


@pytest.mark.parametrize("text", ["no", "1:30", "2024", "0123", "1e-3", "True", "2001-01-01", "=", "1_000", "<<", "é"])
def test_text_is_taken_as_written(text):
    assert read(f"text: {text}", Scalars).text == text


@pytest.mark.parametrize(
    ("text", "value"), [("0.1", 0.1), ("1e-1", 0.1), ("'0.1'", "0.1"), ("true", "true"), ("1e999", "1e999")]
)
def test_text_or_number(text, value):
    assert read(f"either: {text}", Scalars).either == value


DURATIONS = {"90s": 90, "5m": 300, "2h": 7200, "1h30m": 5400, "1.5h": 5400, "1h0m1s": 3601, "90": 90, "0.5": 0.5}


@pytest.mark.parametrize("text", DURATIONS)
def test_durations(text):
    assert read(f"time: {text}", Scalars).time == seconds(text) == DURATIONS[text]


@pytest.mark.parametrize("text", ["5 m", "30m1h", "1d", "h", "-5m", "-5", "1:30", "''", "9" * 400 + "h"])
def test_not_a_duration(text):
    with refused("x.yaml:1: time: expected a duration ... or null, found"):
        read(f"time: {text}", Scalars)
    with refused("expected a duration ... found"):
        seconds(text)


def resolved(text):
    """The value of a scalar where any type will do."""
    Path("x.yaml").write_text("{}")
    return load("x.yaml", Open, [f"value={text}"])[0].value


@given(st.integers(), st.integers(0, 5), st.sampled_from(["", "+"]))
def test_any_integer(value, zeros, plus):
    digits = "0" * zeros + str(abs(value))
    found = resolved(f"-{digits}" if value < 0 else plus + digits)
    assert (found, type(found)) == (value, int)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_any_float(value):
    assert resolved(repr(value)) == value
    assert resolved(f"{value:.17E}") == value


@settings(max_examples=50)
@given(st.from_regex(r"[-+]?\.?[a-z0-9_]([a-z0-9+.:_-]{0,7}[a-z0-9.])?", fullmatch=True))
def test_a_plain_scalar_is_what_it_looks_like(text):
    """Ours is Python's own reading of numbers, without underscores, infinities and names."""
    value = resolved(text)
    if re.fullmatch(r"[-+]?[0-9]+", text):
        assert value == int(text)
    elif text in ("true", "false", "null"):
        assert value is {"true": True, "false": False, "null": None}[text]
    else:
        try:
            found = float(text)
        except ValueError:
            found = math.nan
        assert value == (found if re.search("[0-9]", text) and "_" not in text and found == found else text)


# --- Mistakes ---


def test_all_mistakes_at_once():
    text = """\
layer:
  kind: plain
  sise: 3
  activation: tahn
train: {a: b}
valid: 1.5
sizes: [1, two, 0]
rule: adm
lopo:
  epochs: 3
loop:
  epochs: ten
  max_time: soon
  shuffle: no
bits: 64
"""
    with refused(
        "x.yaml:3: layer.sise: unknown key; did you mean 'size'? (known: size, activation)",
        "x.yaml:4: layer.activation: expected one of tanh, relu, found 'tahn'; did you mean 'tanh'?",
        "x.yaml:5: train: ... text ... section",
        "x.yaml:6: valid: ... above 0 and below 1 ... found 1.5",
        "x.yaml:7: sizes[1]: ... integer ... 'two'",
        "x.yaml:7: sizes[2]: ... at least 1 ... 0",
        "x.yaml:8: rule: unknown kind 'adm'; did you mean 'adam'? (known: sgd, adam)",
        "x.yaml:9: lopo: unknown key; did you mean 'loop'? (known: layer, train, ",
        "x.yaml:12: loop.epochs: ... integer ... 'ten'",
        "x.yaml:13: loop.max_time: ... duration ... or null ... 'soon'",
        "x.yaml:14: loop.shuffle: ... true or false ... 'no'",
        "x.yaml:15: bits: ... 16, 32 ... 64",
    ):
        read(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "x.yaml: layer: missing ... plain, stacked"),
        ("# all comments\n", "x.yaml: layer: missing ... plain, stacked"),
        ("name: x", "x.yaml: layer: missing ... plain, stacked"),
        ("layer: plain", "x.yaml:1: layer.size: missing ... integer of at least 1"),
        ("layer: {size: 3}", "x.yaml:1: layer.kind: missing ... plain, stacked"),
        ("\nlayer:\n  size: 3", "x.yaml:2: layer.kind: missing"),
        ("layer:", "x.yaml:1: layer.kind: missing"),
        ("layer: ~", "x.yaml:1: layer: ... kinds plain, stacked ... ~"),
        ("layer: [plain]", "x.yaml:1: layer: ... kinds ... a list"),
        ("layer: {kind: [plain]}", "x.yaml:1: layer.kind: unknown kind a list ... plain, stacked"),
        ("layer:\n  kind: plane", "x.yaml:2: layer.kind: unknown kind 'plane' ... did you mean 'plain'? ... stacked"),
        ("layer:\n  kind:", "x.yaml:2: layer.kind: unknown kind nothing"),
        (LAYER + "rule: {knid: adam}", "x.yaml:2: rule.knid: unknown key ... did you mean 'kind'? ... known: lr"),
        (LAYER + "rule:\n  <<: {lr: 1}", "x.yaml:3: rule.<<: unknown key"),
        (LAYER + "rule: {lr: 0}", "x.yaml:2: rule.lr: ... above 0 ... 0"),
        (LAYER + "rule: {kind: adam, beta: 1.0}", "x.yaml:2: rule.beta: ... at least 0 and below 1 ... 1.0"),
        (LAYER + "loop: {epochs: 0}", "x.yaml:2: loop.epochs: ... at least 1 and at most 1000 ... 0"),
        (LAYER + "loop: {epochs: 1001}", "x.yaml:2: loop.epochs: ... at least 1 and at most 1000 ... 1001"),
        (LAYER + "loop: {max_time: 0s}", "x.yaml:2: loop.max_time: ... duration ... above 0 or null ... '0s'"),
        (LAYER + "loop: {save_every: ~}", "x.yaml:2: loop.save_every: ... duration ... ~"),
        (LAYER + "loop: [epochs]", "x.yaml:2: loop: ... section ... epochs, max_time ... a list"),
        (LAYER + "loop: 3", "x.yaml:2: loop: ... section ... 3"),
        (LAYER + "name:", "x.yaml:2: name: ... text ... nothing"),
        (LAYER + "name: [a]", "x.yaml:2: name: ... text ... a list"),
        (LAYER + "train:", "x.yaml:2: train: ... text ... nothing"),
        (LAYER + "train:\n- a\n- {b: c}", "x.yaml:4: train[1]: ... text ... a section"),
        (LAYER + "3: x", "x.yaml:2: 3: unknown key"),
        (LAYER + "? [a, b]\n: c", "x.yaml:2: ... key ... a list"),
        (LAYER + "loop:\n  epochs: 3\n\n  epochs: 4", "x.yaml:5: loop.epochs: duplicate key ... line 3"),
        (LAYER + "name: !!python/object/apply:os.getcwd []",
         "x.yaml:2: name: the tag !!python/object/apply:os.getcwd is not supported"),
        (LAYER + "loop: !mine {epochs: 3}", "x.yaml:2: loop: ... tag !mine"),
        (LAYER + 'name: "\\uD800"', "x.yaml:2: name: ... text ... '\\ud800'"),
        ("[a, b]", "x.yaml: expected a section ... layer, train ... a list"),
        ("just words", "x.yaml: expected a section ... 'just words'"),
    ],
)  # fmt: skip
def test_one_mistake(text, message):
    with refused(message):
        read(text)


def test_tags_of_plain_scalars():
    assert read(LAYER + "name: !!str 3\nbits: !!int 16") == Root(Plain(3), name="3", bits=16)
    with refused("x.yaml:2: bits: ... 'x'"):
        read(LAYER + "bits: !!int x")


def test_rules_between_options():
    """A ValueError of the dataclass itself is reported where the option stands, or else its section."""
    with refused("x.yaml:3: layer.layers: expected at least one"):
        read("layer:\n  kind: stacked\n  layers: []\n")
    with refused("x.yaml:1: layer: more than 3 layers"):
        read("layer:\n  kind: stacked\n  layers: [{kind: plain, size: 1}, &b {kind: plain, size: 2}, *b, *b]\n")


def test_a_mistake_in_a_list_of_sections():
    with refused(
        "x.yaml:5: layer.layers[0].size: ... at least 1 ... 0",
        "x.yaml:6: layer.layers[1].size: missing",
        "x.yaml:7: layer.dropout: ... 2",
    ):
        read("layer:\n  kind: stacked\n  layers:\n  - kind: plain\n    size: 0\n  - plain\n  dropout: 2\n")


def test_a_message_stays_in_one_line():
    with refused(
        "x.yaml:2: 'a\\nb': unknown key",
        "x.yaml:3: unknown key",
        "x.yaml:4: name: ... section",
        f"x.yaml:5: bits: ... {'x' * 50} ... ...",
    ):
        read(LAYER + '"a\\nb": 1\n"": 2\nname: {}\nbits: "' + "x" * 100 + '\\n"\n')


def test_the_hint_names_the_reference():
    with refused("x.yaml:1: layre") as caught:
        read("layre: plain")
    assert "rnnlm config explain" in caught.value.hint
    assert caught.value.exit_code == 2


# --- What is no configuration at all ---


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a:\n- b\n- [1, b", "x.yaml:3: not valid YAML: ... (line 3) ... ']'"),
        ("a: 1\nb: c: d", "x.yaml:2: not valid YAML: mapping values"),
        ("a:\n\tb: 1", "x.yaml:2: not valid YAML: ... '\\t'"),
        ("`", "x.yaml:1: not valid YAML: ... '`'"),
        ("a: *b", "x.yaml:1: not valid YAML: ... alias 'b'"),
        ("--- a\n--- b", "x.yaml:2: not valid YAML: ... single document"),
        ('a: b\nc: "\\UFFFFFFFF"', "x.yaml:2: not valid YAML: a number"),
        ("%YAML " + "1" * 5000 + ".1\n--- a", "x.yaml:1: not valid YAML: a number"),
        ("a: b\nc: \a", "x.yaml:2: not valid YAML: ... U+0007"),
        ("\n" + "[" * 1000, "x.yaml:2: not valid YAML: nested"),
        ("a" * 200_001, "x.yaml: larger than 200000 bytes"),
    ],
)
def test_not_yaml(text, message):
    with refused(message):
        read(text)


def test_aliases_cannot_explode():
    """Neither in themselves, nor each in ten places of the next."""
    with refused("x.yaml: ... alias"):
        read("layer: &a {kind: stacked, layers: [*a]}")
    lines = ["a: &a0 {kind: plain, size: 1}"]
    lines += [f"a{i}: &a{i} {{kind: stacked, layers: [{', '.join([f'*a{i - 1}'] * 10)}]}}" for i in range(1, 10)]
    with refused("x.yaml: ... alias"):
        read("\n".join([*lines, "layer: *a9"]))


def test_a_file_that_cannot_be_read(directory):
    with refused(f"configs/x.yaml: no such file (tried {directory}/configs/x.yaml)"):
        load("configs/x.yaml", Root)
    with pytest.raises(UsageError, match=re.escape(f"{directory}/x.yaml: no such file") + "$"):
        load(directory / "x.yaml", Root)
    with refused(f"{directory}: Is a directory ... YAML file"):
        load(directory, Root)
    Path("x.yaml").write_bytes("name: é\n".encode() + b"bits: \xe9\n")
    with refused("x.yaml/y.yaml: Not a directory ... YAML file"):
        load("x.yaml/y.yaml", Root)
    with refused("x.yaml:2: not UTF-8: ... 0xe9 ... offset 15"):
        load("x.yaml", Root)


# --- Overrides ---


def load_with(*overrides, text=LAYER):
    Path("x.yaml").write_text(text)
    return load("x.yaml", Root, overrides)


def test_overrides_are_applied_and_told():
    root, messages = load_with(
        "rule.lr=1e-2",  # a section that is written in short
        "loop.epochs=3",  # a section that is not there
        "layer.size=5",
        "train=[a, b]",
        "valid=",
        "name=a=b",
        "extra=stacked",
        "extra.layers=[{kind: plain, size: 2}]",  # after its kind
        "start.size=8",
        text=LAYER + "rule: adam\nvalid: 0.25\n",
    )
    assert root == Root(
        layer=Plain(5),
        train=["a", "b"],
        rule=Adam(0.01),
        loop=Loop(3),
        name="a=b",
        extra=Stacked((Plain(2),)),
        start=Plain(8),
    )
    assert messages == [
        "override rule.lr: 0.001 -> 0.01",
        "override loop.epochs: 10 -> 3",
        "override layer.size: 3 -> 5",
        "override train: [] -> [a, b]",
        "override valid: 0.25 -> null",
        "override name: '' -> a=b",
        "override extra: null -> {kind: stacked, layers: [{kind: plain, size: 2, activation: tanh}], dropout: 0.0}",
        "override extra.layers: unset -> [{kind: plain, size: 2, activation: tanh}]",
        "override start.size: 7 -> 8",
    ]


def test_the_last_override_wins():
    assert load_with("name=a", "name=b") == (Root(Plain(3), name="b"), ["override name: '' -> b"])
    assert load_with("rule.lr=1", "rule=adam", "rule.beta=0.5")[0].rule == Adam(beta=0.5)
    assert load_with("extra.size=2", "extra=~")[0].extra is None
    assert load_with("extra=~", "extra.kind=plain", "extra.size=2")[0].extra == Plain(2)


def test_an_override_may_repair_the_file():
    text = "layer: {kind: plain, size: many}\nrule: {lr: 0.2}"
    root, messages = load_with("layer.size=3", "rule.lr=0.3", "loop.epochs=4", text=text)
    assert root == Root(Plain(3), rule=SGD(0.3), loop=Loop(4))
    assert messages == [
        "override layer.size: 'many' -> 3",
        "override rule.lr: 0.2 -> 0.3",
        "override loop.epochs: unset -> 4",
    ]


def test_another_kind_has_other_keys():
    """A whole section is replaced; a changed kind keeps the keys, and they must be its own."""
    text = LAYER + "rule: {kind: adam, beta: 0.5}"
    assert read(text, Root, "rule=sgd").rule == SGD()
    assert load_with("rule.kind=adam")[1] == ["override rule.kind: sgd -> adam"]
    with refused("x.yaml:2: rule.beta: unknown key (known: lr)"):
        read(text, Root, "rule.kind=sgd")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("rule.lr", "expected PATH=VALUE"),
        ("=3", "expected PATH=VALUE"),
        ("rule..lr=3", "expected PATH=VALUE"),
        ("layer.sise=3", "unknown key; did you mean 'size'? ... size, activation"),
        ("layer.size=0", "expected an integer of at least 1, found 0"),
        ("layer={kind: plain, size: x}", "layer.size: ... integer ... 'x'"),
        ("layer.kind=plane", "unknown kind 'plane'; did you mean 'plain'?"),
        ("rule=adm", "unknown kind 'adm'; did you mean 'adam'?"),
        ("layer.size.x=3", "layer.size: not a section"),
        ("train.0=a", "train: not a section"),
        ("train.0.x=a", "train: not a section"),
        ("loop.max_time.x=3", "loop.max_time: not a section"),
        ("extra.size=3", "extra.kind: missing"),
        ("lopo.epochs=3", "lopo: unknown key; did you mean 'loop'?"),
        ("sizes=[1", "not valid YAML: ... ']'"),
        ("loop={epochs: 1, epochs: 2}", "loop.epochs: duplicate key"),
        ("name=!mine 3", "the tag !mine"),
    ],
)
def test_a_mistake_in_an_override(override, message):
    """Named by the override itself: it has no line."""
    with refused(f"--set {override}: {message}"):
        load_with(override, text=LAYER + "train: [a]")


def test_odd_overrides_are_shown_in_one_line():
    with refused("--set '': expected PATH=VALUE", "--set 'name=\\x07': not valid YAML: ... U+0007"):
        load_with("", "name=\a")


def test_mistakes_of_the_file_come_first():
    with refused(
        "x.yaml:1: layer.size: missing",
        "x.yaml:2: bits: ... 64",
        "--set name: expected PATH=VALUE",
        "--set name=[]: ... text ... a list",
        "--set bit=3: unknown key; did you mean 'bits'?",
    ):
        load_with("name", "name=[]", "bit=3", text="layer: {kind: plain}\nbits: 64\n")
    with refused("x.yaml: expected a section ... a list"):
        load_with("name=x", text="[]")


# --- Plain data, and back ---

names = st.text(max_size=20)
plains = st.builds(Plain, st.integers(1, 10**20), st.sampled_from(["tanh", "relu"]))
stacks = st.builds(Stacked, st.lists(plains, min_size=1, max_size=3).map(tuple), st.floats(0, 1, exclude_max=True))
rates = st.floats(0, 1e300, exclude_min=True)
rules = st.builds(SGD, rates) | st.builds(Adam, rates, st.floats(0, 1, exclude_max=True))
shares = st.floats(0, 1, exclude_min=True, exclude_max=True)
loops = st.builds(Loop, st.integers(1, 1000), st.none() | rates, rates, st.booleans())
roots = st.builds(
    Root,
    layer=plains | stacks,
    train=st.lists(names),
    valid=st.none() | shares | names,
    sizes=st.lists(st.integers(1)).map(tuple),
    rule=rules,
    extra=st.none() | plains | stacks,
    start=plains,
    loop=loops,
    name=names,
    bits=st.sampled_from([16, 32]),
)


@given(roots)
def test_plain_data_and_dumped_text_give_the_same_instance(root):
    assert build(Root, plain(root)) == root
    assert read(dump(root)) == root


def test_dump_is_readable():
    root = Root(Stacked((Plain(3),)), train=["a.txt", "1e-3"], name="no", valid="0.5")
    assert dump(root.layer) == """\
kind: stacked
layers:
- kind: plain
  size: 3
  activation: tanh
dropout: 0.0
"""  # fmt: skip
    assert "train:\n- a.txt\n- '1e-3'\nvalid: '0.5'\nsizes:\n- 1\n- 2\n" in dump(root)
    assert "extra: null\n" in dump(root)
    assert dump(root).endswith("  max_time: null\n  save_every: 300.0\n  shuffle: false\nname: no\nbits: 32\n")
    assert dump(root.loop, flow=True) == "{epochs: 10, max_time: null, save_every: 300.0, shuffle: false}"


PLAIN = {"layer": {"kind": "plain", "size": 3}}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "layer: missing"),
        ([], "expected a section ... a list"),
        (None, "expected a section ... null"),
        ({"layer": {"kind": "plain", "size": 3.0}}, "layer.size: ... integer ... 3.0"),
        ({"layer": {"kind": "plain", "size": True}}, "layer.size: ... integer ... true"),
        ({"layer": {"kind": "plain", "size": None}}, "layer.size: ... integer ... null"),
        ({"layer": {"kind": "plain", "size": "3"}}, "layer.size: ... integer ... '3'"),
        ({"layer": {"kind": "lstm"}}, "layer.kind: unknown kind 'lstm'"),
        (PLAIN | {"rule": {"lr": math.inf}}, "rule.lr: ... number ... inf"),
        (PLAIN | {"rule": {"lr": math.nan}}, "rule.lr: ... number ... nan"),
        (PLAIN | {"rule": {"lr": 10**400}}, "rule.lr: ... number ... 100000"),
        (PLAIN | {"rule": {"lr": 10**5000}}, "nested too deeply, or no plain data"),
        (PLAIN | {"name": b"x"}, "name: ... binary"),
        (PLAIN | {"name": object()}, "nested too deeply, or no plain data"),
        (PLAIN | {"name": "\ud800"}, "name: ... text ... '\\ud800'"),
        ({1: 2, "1": 3}, "1: duplicate key ... model.npz: 1: unknown key ... model.npz: layer: missing"),
    ],
)
def test_plain_data_is_not_trusted(data, message):
    with pytest.raises(UsageError) as caught:
        build(Root, data, "model.npz")
    start, *words = f"model.npz: {message}".split(" ... ")
    found = caught.value.message
    assert found.startswith(start)
    assert all(word in found for word in words)


def test_plain_data_is_not_followed_for_ever():
    layer = {"kind": "stacked", "layers": []}
    layer["layers"] += [layer, layer]
    with refused("<config>: ... itself"):
        build(Root, {"layer": layer})
    deep = []
    for _ in range(5000):
        deep = [deep]
    with refused("<config>: nested"):
        build(Root, {"train": deep})


# --- Anything whatever ---


def refused_or(call):
    """Whatever happens, it is no crash, and the message can be printed: as many lines as mistakes."""
    try:
        call()
    except UsageError as error:
        lines = error.message.split("\n")
        assert all(line.startswith(("x.yaml:", "--set ", "<config>: ")) and line.isprintable() for line in lines)
        error.message.encode()


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
keys = st.sampled_from(["kind", "layers", "size", "layer", "loop", "rule", "lr"])
json_like = st.recursive(
    scalars | st.sampled_from(["plain", "stacked"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=5),
    max_leaves=20,
)


@given(json_like)
def test_any_plain_data_is_built_or_refused(data):
    refused_or(lambda: build(Root, data))


@given(st.text())
def test_any_text_is_loaded_or_refused(text):
    refused_or(lambda: read(text))


VALID = dump(Root(Stacked((Plain(3), Plain(4))), train=["a"], name="&a [*a, !b c] <<: | > 'd' \"e\" %@`"))
fragments = st.sampled_from(
    list("\n\n  :-[]{}&*!|>'\"%@`#,?~ax0.") + ["- ", ": ", "<<", "&a ", "*a", "!!str ", "\\u", "---\n"]
)


@given(st.lists(st.tuples(st.integers(0, len(VALID)), st.integers(0, 3), fragments), min_size=1, max_size=6))
def test_any_damage_is_loaded_or_refused(edits):
    text = VALID
    for start, length, fragment in edits:
        text = text[:start] + fragment + text[start + length :]
    refused_or(lambda: read(text))


@given(st.binary(max_size=50))
def test_any_bytes_are_loaded_or_refused(data):
    Path("x.yaml").write_bytes(data)
    refused_or(lambda: load("x.yaml", Root))


@given(
    st.text(max_size=20), st.sampled_from(["", "name=", "layer=", "layer.size=", "train=", "rule.", "extra.kind.x="])
)
def test_any_override_is_applied_or_refused(text, start):
    refused_or(lambda: load_with(start + text))


# --- Kinds ---


def test_a_choice_knows_its_kinds_in_order():
    assert list(Layer.kinds().items()) == [("plain", Plain), ("stacked", Stacked)]
    assert Plain.kind == "plain"
    assert (Layer.default_kind(), Rule.default_kind(), Adam.default_kind()) == (None, "sgd", "adam")


def test_a_kind_is_taken_once():
    with pytest.raises(TypeError, match="Again: the kind 'plain' is taken by Plain"):

        class Again(Layer, kind="plain"):
            pass


def test_another_kind_over_options_of_the_former_one(tmp_path):
    """The hint has the section as it would work."""
    path = tmp_path / "c.yaml"
    path.write_text("layer: {kind: plain, size: 3, activation: relu}\n")
    with pytest.raises(UsageError) as caught:
        load(path, Root, ["layer.kind=stacked"])
    assert "activation: unknown key" in caught.value.message
    path.write_text("layer: {kind: stacked, layers: [], dropout: 0.5}\n")
    with pytest.raises(UsageError) as caught:
        load(path, Root, ["layer.kind=plain", "layer.size=9"])
    override = re.search("--set '(.*)'", caught.value.hint)[1]
    assert override == "layer={kind: plain, size: 9}"
    assert load(path, Root, [override])[0].layer == Plain(9)


@pytest.mark.parametrize("key", ["schedule.kind", "dtype"])
def test_a_nested_list_where_a_name_belongs(key):
    from rnnlm.experiment import Config as Whole

    text = "data: {train: t.txt}\n"
    for depth in range(1, 500, 20):
        with pytest.raises(UsageError, match="found a list|unknown kind a list|nested too deeply"):
            parse(text, "c.yaml", Whole, [f"{key}={'[' * depth}{']' * depth}"])

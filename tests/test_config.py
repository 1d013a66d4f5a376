"""The configuration loader: what it reads, what it refuses and in which words."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnlm.cli import main
from rnnlm.config import Choice, Duration, build, dump, load, option, plain, seconds
from rnnlm.errors import UsageError


class Layer(Choice):
    """A family without a default kind."""


@dataclass(frozen=True)
class Plain(Layer, kind="plain"):
    """h = f(a).

    More about it."""

    size: int = option(doc="hidden units", low=1)
    activation: Literal["tanh", "relu"] = option("tanh", "f")


@dataclass(frozen=True)
class Stacked(Layer, kind="stacked"):
    """Layers on
    layers."""

    layers: tuple[Layer, ...] = option(doc="from the input upwards")
    dropout: float = option(0.0, "share of units dropped", low=0, below=1)

    def __post_init__(self):
        if not self.layers:
            raise ValueError("layers: expected at least one, found none")
        if len(self.layers) > 3:
            raise ValueError("more than 3 layers")


class Rule(Choice, default="sgd"):
    """A family with a default kind."""


@dataclass(frozen=True)
class SGD(Rule, kind="sgd"):
    """theta <- theta - lr g."""

    lr: float = option(0.1, "learning rate", above=0)


@dataclass(frozen=True)
class Adam(Rule, kind="adam"):
    """Two moments."""

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


def mistakes(text, *overrides, cls=Root):
    """The lines of the message that `text` and the overrides cause."""
    with pytest.raises(UsageError) as caught:
        read(text, cls, *overrides)
    return caught.value.message.split("\n")


KNOWN = "(known: layer, train, valid, sizes, rule, extra, start, loop, name, bits)"
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


def test_what_is_left_out_has_its_default():
    assert read(LAYER) == Root(Plain(3))


def test_types_are_exact():
    root = read(LAYER + "valid: .5\nrule: {lr: 1}\nsizes: 7\ntrain: a.txt\nloop: {save_every: 2h}")
    assert (root.valid, root.rule, root.sizes, root.train) == (0.5, SGD(1.0), (7,), ["a.txt"])
    assert type(root.rule.lr) is float
    assert root.loop.save_every == 7200
    assert type(root.sizes) is tuple


def test_a_kind_may_be_left_out_where_there_is_a_default():
    assert read(LAYER + "rule: {lr: 0.5}").rule == SGD(0.5)
    assert read(LAYER + "start: {size: 4}").start == Plain(4)  # the option's default goes before the family's


def test_a_member_stands_for_its_own_kind():
    assert read("size: 4", Plain) == read("{kind: plain, size: 4}", Plain) == Plain(4)
    assert mistakes("{kind: stacked, size: 4}", cls=Plain) == ["x.yaml:1: kind: unknown kind 'stacked' (known: plain)"]


def test_a_title_with_nothing_below_it_is_an_empty_section():
    assert read(LAYER + "loop:\n# epochs: 3\nrule:\n") == Root(Plain(3))


def test_an_anchor_may_be_used_again():
    assert read("layer: &one {kind: plain, size: 3}\nextra: *one").extra == Plain(3)


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
    assert read(f"number: {text}", Scalars).number == value


@pytest.mark.parametrize(
    "text", ["1_000", "1:30", "0x10", ".inf", ".nan", "nan", "1e", "e5", ".", "'1'", "true", "--1"]
)
def test_not_a_number(text):
    found = text if text in ("true", "'1'") else f"'{text}'"
    assert mistakes(f"number: {text}", cls=Scalars) == [f"x.yaml:1: number: expected a number or null, found {found}"]


@pytest.mark.parametrize("text", ["1e999", "-1e999", "9" * 400])
def test_beyond_the_largest_float(text):
    found = text if len(text) <= 60 else text[:60] + "..."
    assert mistakes(f"number: {text}", cls=Scalars) == [f"x.yaml:1: number: expected a number or null, found {found}"]


@pytest.mark.parametrize("text", ["3.0", "1e3", "'3'", "ten", "true", "9" * 5000])
def test_not_an_integer(text):
    found = f"'{text}'" if text == "ten" else text if len(text) <= 60 else text[:60] + "..."
    assert mistakes(f"integer: {text}", cls=Scalars) == [
        f"x.yaml:1: integer: expected an integer or null, found {found}"
    ]


@pytest.mark.parametrize("text", ["true", "True", "TRUE", "false", "False", "FALSE"])
def test_booleans(text):
    assert read(f"flag: {text}", Scalars).flag is (text.lower() == "true")


@pytest.mark.parametrize("text", ["no", "off", "yes", "on", "y", "tRue", "1", "'true'"])
def test_not_a_boolean(text):
    found = text if text in ("1", "'true'") else f"'{text}'"
    assert mistakes(f"flag: {text}", cls=Scalars) == [f"x.yaml:1: flag: expected true or false or null, found {found}"]


@pytest.mark.parametrize("text", ["", "~", "null", "Null", "NULL"])
def test_null(text):
    assert read(f"integer: {text}\ntext: {text}\neither: {text}", Scalars) == Scalars()


@pytest.mark.parametrize("text", ["no", "1:30", "2024", "0123", "1e-3", "True", "2001-01-01", "=", "1_000", "<<", "é"])
def test_text_is_taken_as_written(text):
    assert read(f"text: {text}", Scalars).text == text


def test_text_or_number():
    assert read("either: 0.1", Scalars).either == 0.1
    assert read("either: '0.1'", Scalars).either == "0.1"
    assert read("either: true", Scalars).either == "true"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("90s", 90),
        ("5m", 300),
        ("2h", 7200),
        ("1h30m", 5400),
        ("1.5h", 5400),
        ("1h0m1s", 3601),
        ("90", 90),
        ("0.5", 0.5),
    ],
)
def test_durations(text, value):
    assert read(f"time: {text}", Scalars).time == value
    assert seconds(text) == value


@pytest.mark.parametrize("text", ["5 m", "30m1h", "1d", "h", "-5m", "1:30", "''", "9" * 400 + "h"])
def test_not_a_duration(text):
    expected = "expected a duration (90s, 5m, 1h30m or seconds)"
    found = text if text == "''" else f"'{text}'" if len(text) < 60 else f"'{text[:59]}..."
    assert mistakes(f"time: {text}", cls=Scalars) == [f"x.yaml:1: time: {expected} or null, found {found}"]
    with pytest.raises(UsageError, match=re.escape(f"{expected}, found ")):
        seconds(text)


@settings(deadline=None)
@given(st.integers(), st.integers(0, 5), st.sampled_from(["", "+"]))
def test_any_integer(value, zeros, plus):
    digits = "0" * zeros + str(abs(value))
    text = f"-{digits}" if value < 0 else plus + digits
    assert resolved(text) == value
    assert type(resolved(text)) is int


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_any_float(value):
    assert resolved(repr(value)) == value
    assert resolved(f"{value:.17E}") == value


@settings(deadline=None)
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
            number = float(text)
        except ValueError:
            number = math.nan
        assert value == (number if re.search("[0-9]", text) and "_" not in text and number == number else text)


def resolved(text):
    """The value of a scalar where any type will do."""
    Path("x.yaml").write_text("{}")
    return load("x.yaml", Open, [f"value={text}"])[0].value


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
    assert mistakes(text) == [
        "x.yaml:3: layer.sise: unknown key; did you mean 'size'? (known: size, activation)",
        "x.yaml:4: layer.activation: expected one of tanh, relu, found 'tahn'; did you mean 'tanh'?",
        "x.yaml:5: train: expected a list (each item text), found a section",
        "x.yaml:6: valid: expected a number above 0 and below 1 or text or null, found 1.5",
        "x.yaml:7: sizes[1]: expected an integer, found 'two'",
        "x.yaml:7: sizes[2]: expected an integer of at least 1, found 0",
        "x.yaml:8: rule: unknown kind 'adm'; did you mean 'adam'? (known: sgd, adam)",
        "x.yaml:9: lopo: unknown key; did you mean 'loop'? " + KNOWN,
        "x.yaml:12: loop.epochs: expected an integer, found 'ten'",
        "x.yaml:13: loop.max_time: expected a duration (90s, 5m, 1h30m or seconds) or null, found 'soon'",
        "x.yaml:14: loop.shuffle: expected true or false, found 'no'",
        "x.yaml:15: bits: expected one of 16, 32, found 64",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: x", "x.yaml: layer: missing required key; expected one of the kinds plain, stacked"),
        ("layer: plain", "x.yaml:1: layer.size: missing required key; expected an integer of at least 1"),
        ("layer: {size: 3}", "x.yaml:1: layer.kind: missing required key (known: plain, stacked)"),
        ("\nlayer:\n  size: 3", "x.yaml:2: layer.kind: missing required key (known: plain, stacked)"),
        ("layer:", "x.yaml:1: layer.kind: missing required key (known: plain, stacked)"),
        ("layer: ~", "x.yaml:1: layer: expected one of the kinds plain, stacked, found ~"),
        ("layer: [plain]", "x.yaml:1: layer: expected one of the kinds plain, stacked, found a list"),
        ("layer: {kind: [plain]}", "x.yaml:1: layer.kind: unknown kind a list (known: plain, stacked)"),
        (
            "layer:\n  kind: plane",
            "x.yaml:2: layer.kind: unknown kind 'plane'; did you mean 'plain'? (known: plain, stacked)",
        ),
        ("layer:\n  kind:", "x.yaml:2: layer.kind: unknown kind nothing (known: plain, stacked)"),
        (LAYER + "rule: {knid: adam}", "x.yaml:2: rule.knid: unknown key; did you mean 'kind'? (known: lr)"),
        (LAYER + "rule:\n  <<: {lr: 1}", "x.yaml:3: rule.<<: unknown key (known: lr)"),
        (LAYER + "rule: {lr: 0}", "x.yaml:2: rule.lr: expected a number above 0, found 0"),
        (
            LAYER + "rule: {kind: adam, beta: 1.0}",
            "x.yaml:2: rule.beta: expected a number of at least 0 and below 1, found 1.0",
        ),
        (
            LAYER + "loop: {epochs: 0}",
            "x.yaml:2: loop.epochs: expected an integer of at least 1 and at most 1000, found 0",
        ),
        (
            LAYER + "loop: {epochs: 1001}",
            "x.yaml:2: loop.epochs: expected an integer of at least 1 and at most 1000, found 1001",
        ),
        (
            LAYER + "loop: {max_time: 0s}",
            "x.yaml:2: loop.max_time: expected a duration (90s, 5m, 1h30m or seconds) above 0 or null, found '0s'",
        ),
        (
            LAYER + "loop: {save_every: ~}",
            "x.yaml:2: loop.save_every: expected a duration (90s, 5m, 1h30m or seconds), found ~",
        ),
        (
            LAYER + "loop: [epochs]",
            "x.yaml:2: loop: expected a section (known: epochs, max_time, save_every, shuffle), found a list",
        ),
        (
            LAYER + "loop: 3",
            "x.yaml:2: loop: expected a section (known: epochs, max_time, save_every, shuffle), found 3",
        ),
        (LAYER + "name:", "x.yaml:2: name: expected text, found nothing"),
        (LAYER + "name: [a]", "x.yaml:2: name: expected text, found a list"),
        (LAYER + "train:", "x.yaml:2: train: expected a list (each item text), found nothing"),
        (LAYER + "train:\n- a\n- {b: c}", "x.yaml:4: train[1]: expected text, found a section"),
        (
            LAYER + "3: x",
            f"x.yaml:2: 3: unknown key {KNOWN}",
        ),
        (LAYER + "? [a, b]\n: c", "x.yaml:2: a key must be text, found a list"),
        (LAYER + "loop:\n  epochs: 3\n\n  epochs: 4", "x.yaml:5: loop.epochs: duplicate key; first on line 3"),
        (LAYER + "name: !!str x", None),
        (LAYER + "name: !!str 3", "x.yaml:2: name: the tag !!str is not supported"),
        (
            LAYER + "name: !!python/object/apply:os.getcwd []",
            "x.yaml:2: name: the tag !!python/object/apply:os.getcwd is not supported",
        ),
        (LAYER + "loop: !mine {epochs: 3}", "x.yaml:2: loop: the tag !mine is not supported"),
        (LAYER + 'name: "\\uD800"', "x.yaml:2: name: expected text, found '\\ud800'"),
        (
            "[a, b]",
            f"x.yaml: expected a section {KNOWN}, found a list",
        ),
        (
            "just words",
            f"x.yaml: expected a section {KNOWN}, found 'just words'",
        ),
    ],
)
def test_one_mistake(text, message):
    if message is None:
        read(text)
    else:
        assert mistakes(text)[0] == message


def test_rules_between_fields():
    """A ValueError of the dataclass itself is reported where the option stands, or else its section."""
    text = "layer:\n  kind: stacked\n  layers: []\n"
    assert mistakes(text) == ["x.yaml:3: layer.layers: expected at least one, found none"]
    text = "layer:\n  kind: stacked\n  layers: [{kind: plain, size: 1}, &b {kind: plain, size: 2}, *b, *b]\n"
    assert mistakes(text) == ["x.yaml:1: layer: more than 3 layers"]


def test_a_mistake_in_a_list_of_sections():
    text = "layer:\n  kind: stacked\n  layers:\n  - kind: plain\n    size: 0\n  - plain\n  dropout: 2\n"
    assert mistakes(text) == [
        "x.yaml:5: layer.layers[0].size: expected an integer of at least 1, found 0",
        "x.yaml:6: layer.layers[1].size: missing required key; expected an integer of at least 1",
        "x.yaml:7: layer.dropout: expected a number of at least 0 and below 1, found 2",
    ]


def test_a_message_stays_in_one_line():
    text = LAYER + '"a\\nb": 1\n"": 2\nname: {}\nbits: "' + "x" * 100 + '\\n"\n'
    assert mistakes(text) == [
        f"x.yaml:2: 'a\\nb': unknown key {KNOWN}",
        f"x.yaml:3: '': unknown key {KNOWN}",
        "x.yaml:4: name: expected text, found a section",
        f"x.yaml:5: bits: expected one of 16, 32, found '{'x' * 59}...",
    ]


def test_the_hint_names_the_reference():
    Path("x.yaml").write_text("layre: plain")
    with pytest.raises(UsageError) as caught:
        load("x.yaml", Root)
    assert caught.value.hint == "`rnnlm config explain` lists every option"
    assert caught.value.exit_code == 2


# --- What is no configuration at all ---


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "a: [1, b",
            "x.yaml:1:9: not valid YAML: while parsing a flow sequence (line 1), "
            "expected ',' or ']', but got '<stream end>'",
        ),
        ("a: 1\nb: c: d", "x.yaml:2:5: not valid YAML: mapping values are not allowed here"),
        (
            "a:\n\tb: 1",
            "x.yaml:2:1: not valid YAML: while scanning for the next token, "
            "found character '\\t' that cannot start any token",
        ),
        ("a: *b", "x.yaml:1:4: not valid YAML: found undefined alias 'b'"),
        (
            "--- a\n--- b",
            "x.yaml:2:1: not valid YAML: expected a single document in the stream (line 1), but found another document",
        ),
        ('a: b\nc: "\\UFFFFFFFF"', "x.yaml:2:7: not valid YAML: a number out of range"),
        ("%YAML " + "1" * 5000 + ".1\n--- a", "x.yaml:1:7: not valid YAML: a number out of range"),
        ("a: b\nc: \a", "x.yaml:2: not valid YAML: the character U+0007 is not allowed"),
        ("[" * 1000, "x.yaml:1:51: not valid YAML: nested more than 50 levels deep"),
        ("a: &a [*a]", "x.yaml: too large: more than 10000 values, or an alias that contains itself"),
        (
            "",
            f"x.yaml: empty; expected a section {KNOWN}",
        ),
        (
            "# all\n\n# comments\n",
            f"x.yaml: empty; expected a section {KNOWN}",
        ),
        ("a" * 200_001, "x.yaml: larger than 200000 bytes; expected a YAML file"),
    ],
)
def test_not_yaml(text, message):
    assert mistakes(text) == [message]


def test_aliases_cannot_explode():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)]
    assert mistakes("\n".join(lines)) == ["x.yaml: too large: more than 10000 values, or an alias that contains itself"]


def test_no_such_file(directory):
    with pytest.raises(UsageError) as caught:
        load("configs/x.yaml", Root)
    assert caught.value.message == f"configs/x.yaml: no such file (tried {directory}/configs/x.yaml)"
    assert caught.value.hint == "a relative path starts at the working directory"
    with pytest.raises(UsageError) as caught:
        load(directory / "x.yaml", Root)
    assert caught.value.message == f"{directory}/x.yaml: no such file"


def test_not_a_file(directory):
    with pytest.raises(UsageError) as caught:
        load(directory, Root)
    assert caught.value.message == f"{directory}: a directory; expected a YAML file"
    Path("x.yaml").touch()
    with pytest.raises(UsageError) as caught:
        load("x.yaml/y.yaml", Root)
    assert caught.value.message == "x.yaml/y.yaml: Not a directory; expected a YAML file"


def test_not_utf8():
    Path("x.yaml").write_bytes("name: é\n".encode() + b"bits: \xe9\n")
    with pytest.raises(UsageError) as caught:
        load("x.yaml", Root)
    assert caught.value.message == "x.yaml:2: not UTF-8: byte 0xe9 at offset 15"


# --- Overrides ---


def test_overrides_are_applied_and_told():
    Path("x.yaml").write_text(LAYER + "rule: adam\nvalid: 0.25\n")
    overrides = [
        "rule.lr=1e-2",  # a section that is written in short
        "loop.epochs=3",  # a section that is not there
        "layer.size=5",
        "train=[a, b]",
        "valid=",
        "name=a=b",
        "extra=stacked",
        "extra.layers=[{kind: plain, size: 2}]",  # after its kind
        "start.size=8",
    ]
    root, messages = load("x.yaml", Root, overrides)
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
    root, messages = load_with("name=a", "name=b")
    assert root.name == "b"
    assert messages == ["override name: '' -> b", "override name: '' -> b"]


def test_an_override_may_repair_the_file():
    Path("x.yaml").write_text("layer: {kind: plain, size: many}\nrule: {lr: 0.2}")
    root, messages = load("x.yaml", Root, ["layer.size=3", "rule.lr=0.3", "loop.epochs=4"])
    assert root == Root(Plain(3), rule=SGD(0.3), loop=Loop(4))
    assert messages == [
        "override layer.size: many -> 3",
        "override rule.lr: 0.2 -> 0.3",
        "override loop.epochs: unset -> 4",
    ]


def test_another_kind_has_other_keys():
    """A whole section is replaced; a changed kind keeps the keys, and they must be its own."""
    text = LAYER + "rule: {kind: adam, beta: 0.5}"
    assert read(text, Root, "rule=sgd").rule == SGD()
    assert mistakes(text, "rule.kind=sgd") == ["x.yaml:2: rule.beta: unknown key (known: lr)"]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("rule.lr", "--set rule.lr: expected PATH=VALUE, such as optimizer.lr=0.05"),
        ("=3", "--set =3: expected PATH=VALUE, such as optimizer.lr=0.05"),
        ("rule..lr=3", "--set rule..lr=3: expected PATH=VALUE, such as optimizer.lr=0.05"),
        ("", "--set '': expected PATH=VALUE, such as optimizer.lr=0.05"),
        ("layer.sise=3", "--set layer.sise=3: unknown key; did you mean 'size'? (known: size, activation)"),
        ("layer.size=0", "--set layer.size=0: expected an integer of at least 1, found 0"),
        (
            "layer={kind: plain, size: x}",
            "--set layer={kind: plain, size: x}: layer.size: expected an integer, found 'x'",
        ),
        (
            "layer.kind=plane",
            "--set layer.kind=plane: unknown kind 'plane'; did you mean 'plain'? (known: plain, stacked)",
        ),
        ("rule=adm", "--set rule=adm: unknown kind 'adm'; did you mean 'adam'? (known: sgd, adam)"),
        ("layer.size.x=3", "--set layer.size.x=3: layer.size: expected an integer, found a section"),
        ("train.0=a", "--set train.0=a: train: a list; set it as a whole"),
        ("train.0.x=a", "--set train.0.x=a: train: a list; set it as a whole"),
        ("extra.size=3", "--set extra.size=3: extra.kind: missing required key (known: plain, stacked)"),
        (
            "lopo.epochs=3",
            f"--set lopo.epochs=3: lopo: unknown key; did you mean 'loop'? {KNOWN}",
        ),
        (
            "sizes=[1",
            "--set sizes=[1: not valid YAML: while parsing a flow sequence, "
            "expected ',' or ']', but got '<stream end>'",
        ),
        ("loop={epochs: 1, epochs: 2}", "--set loop={epochs: 1, epochs: 2}: loop.epochs: duplicate key"),
        ("name=\a", r"--set 'name=\x07': not valid YAML: the character U+0007 is not allowed"),
        ("name=!!str 3", "--set name=!!str 3: the tag !!str is not supported"),
    ],
)
def test_a_mistake_in_an_override(override, message):
    assert mistakes(LAYER + "train: [a]", override) == [message]


def test_mistakes_of_the_file_come_first():
    assert mistakes("layer: {kind: plain}\nbits: 64\n", "name=[]", "bit=3") == [
        "x.yaml:1: layer.size: missing required key; expected an integer of at least 1",
        "x.yaml:2: bits: expected one of 16, 32, found 64",
        "--set name=[]: expected text, found a list",
        "--set bit=3: unknown key; did you mean 'bits'? " + KNOWN,
    ]
    assert mistakes("[]", "name=x") == [f"x.yaml: expected a section {KNOWN}, found a list"]


def load_with(*overrides):
    Path("x.yaml").write_text(LAYER)
    return load("x.yaml", Root, overrides)


# --- Plain data, and back ---

names = st.text(max_size=20)
floats = st.floats(allow_nan=False, allow_infinity=False)
plains = st.builds(Plain, st.integers(1, 10**20), st.sampled_from(["tanh", "relu"]))
stacks = st.builds(Stacked, st.lists(plains, min_size=1, max_size=3).map(tuple), st.floats(0, 1, exclude_max=True))
rates = st.floats(0, 1e300, exclude_min=True)
rules = st.builds(SGD, rates) | st.builds(Adam, rates, st.floats(0, 1, exclude_max=True))
shares = st.floats(0, 1, exclude_min=True, exclude_max=True)
loops = st.builds(Loop, st.integers(1, 1000), st.none() | rates, floats, st.booleans())
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


@settings(deadline=None)
@given(roots)
def test_plain_data_builds_the_same(root):
    assert build(Root, plain(root)) == root


@settings(deadline=None)
@given(roots)
def test_dumped_text_loads_the_same(root):
    assert read(dump(root)) == root


def test_dump_is_readable():
    assert (
        dump(Root(Stacked((Plain(3),)), train=["a.txt", "1e-3"], name="no", valid="0.5"))
        == """\
layer:
  kind: stacked
  layers:
  - kind: plain
    size: 3
    activation: tanh
  dropout: 0.0
train:
- a.txt
- '1e-3'
valid: '0.5'
sizes:
- 1
- 2
rule:
  kind: sgd
  lr: 0.1
extra: null
start:
  kind: plain
  size: 7
  activation: tanh
loop:
  epochs: 10
  max_time: null
  save_every: 300.0
  shuffle: false
name: no
bits: 32
"""
    )


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "model.npz: layer: missing required key; expected one of the kinds plain, stacked"),
        (
            [],
            f"model.npz: expected a section {KNOWN}, found a list",
        ),
        (
            None,
            f"model.npz: expected a section {KNOWN}, found null",
        ),
        ({"layer": {"kind": "plain", "size": 3.0}}, "model.npz: layer.size: expected an integer, found 3.0"),
        ({"layer": {"kind": "plain", "size": True}}, "model.npz: layer.size: expected an integer, found true"),
        ({"layer": {"kind": "plain", "size": None}}, "model.npz: layer.size: expected an integer, found null"),
        ({"layer": {"kind": "plain", "size": "3"}}, "model.npz: layer.size: expected an integer, found '3'"),
        ({"layer": {"kind": "lstm"}}, "model.npz: layer.kind: unknown kind 'lstm' (known: plain, stacked)"),
        (
            {"layer": {"kind": "plain", "size": 3}, "rule": {"lr": math.inf}},
            "model.npz: rule.lr: expected a number, found Infinity",
        ),
        (
            {"layer": {"kind": "plain", "size": 3}, "rule": {"lr": math.nan}},
            "model.npz: rule.lr: expected a number, found NaN",
        ),
        (
            {"layer": {"kind": "plain", "size": 3}, "rule": {"lr": 10**400}},
            "model.npz: rule.lr: expected a number, found 1" + "0" * 59 + "...",
        ),
        ({"layer": {"kind": "plain", "size": 3}, "name": b"x"}, "model.npz: name: expected text, found \"b'x'\""),
        ({"layer": {"kind": "plain", "size": 3}, "name": "\ud800"}, r"model.npz: name: expected text, found '\ud800'"),
    ],
)
def test_plain_data_is_not_trusted(data, message):
    with pytest.raises(UsageError) as caught:
        build(Root, data, "model.npz")
    assert caught.value.message == message


def test_plain_data_is_not_followed_for_ever():
    data = {"layer": None}
    data["layer"] = data
    with pytest.raises(UsageError) as caught:
        build(Root, data)
    assert caught.value.message == "<config>: nested more than 50 levels deep"


json_like = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["plain", "stacked"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["kind", "layers", "size", "layer", "loop", "rule", "lr"]), inner, max_size=5)
    ),
    max_leaves=20,
)


@settings(deadline=None)
@given(json_like)
def test_any_plain_data_is_built_or_refused(data):
    refused_or(lambda: build(Root, data))


# --- Any text whatever ---


@settings(deadline=None)
@given(st.text())
def test_any_text_is_loaded_or_refused(text):
    refused_or(lambda: read(text))


VALID = dump(Root(Stacked((Plain(3), Plain(4))), train=["a"], name="&a [*a, !b c] <<: | > 'd' \"e\" %@`"))
fragments = st.sampled_from(
    list("\n\n  :-[]{}&*!|>'\"%@`#,?~ax0.") + ["- ", ": ", "<<", "&a ", "*a", "!!str ", "\\u", "---\n"]
)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(VALID)), st.integers(0, 3), fragments), min_size=1, max_size=6))
def test_any_damage_is_loaded_or_refused(edits):
    text = VALID
    for start, length, fragment in edits:
        text = text[:start] + fragment + text[start + length :]
    refused_or(lambda: read(text))


@settings(deadline=None)
@given(st.binary(max_size=50))
def test_any_bytes_are_loaded_or_refused(data):
    Path("x.yaml").write_bytes(data)
    refused_or(lambda: load("x.yaml", Root))


@settings(deadline=None)
@given(
    st.text(max_size=20), st.sampled_from(["", "name=", "layer=", "layer.size=", "train=", "rule.", "extra.kind.x="])
)
def test_any_override_is_applied_or_refused(text, start):
    refused_or(lambda: load_with(start + text))


def refused_or(call):
    """Whatever happens, it is no crash, and the message can be printed: as many lines as mistakes."""
    try:
        call()
    except UsageError as error:
        lines = error.message.split("\n")
        assert all(line.startswith(("x.yaml:", "--set ", "<config>: ")) and line.isprintable() for line in lines)
        error.message.encode()


# --- The reference ---


def test_explain_lists_every_option_of_every_kind():
    kinds = "one of the kinds plain, stacked"
    duration = "duration (90s, 5m, 1h30m or seconds)"
    assert [tuple(row) for row in explain(Root)] == [
        ("layer", kinds, "required", "", "the network"),
        ("layer[plain]", "", "", "", "h = f(a)."),
        ("layer[plain].size", "integer", "required", "at least 1", "hidden units"),
        ("layer[plain].activation", "one of tanh, relu", "tanh", "", "f"),
        ("layer[stacked]", "", "", "", "Layers on layers."),
        ("layer[stacked].layers", f"list (each item {kinds})", "required", "", "from the input upwards"),
        ("layer[stacked].dropout", "number", "0.0", "at least 0 and below 1", "share of units dropped"),
        ("train", "list (each item text)", "[]", "", "training text"),
        ("valid", "number or text or null", "null", "above 0 and below 1", "text, or a share"),
        ("sizes", "list (each item an integer)", "[1, 2]", "at least 1", "some sizes"),
        ("rule", "one of the kinds sgd, adam", "sgd", "", "the update rule"),
        ("rule[sgd]", "", "", "", "theta <- theta - lr g."),
        ("rule[sgd].lr", "number", "0.1", "above 0", "learning rate"),
        ("rule[adam]", "", "", "", "Two moments."),
        ("rule[adam].lr", "number", "0.001", "above 0", "learning rate"),
        ("rule[adam].beta", "number", "0.9", "at least 0 and below 1", "decay"),
        ("extra", f"{kinds} or null", "null", "", "another network"),
        ("start", kinds, "{kind: plain, size: 7}", "", "another one"),
        ("loop", "section", "", "", "the loop"),
        ("loop.epochs", "integer", "10", "at least 1 and at most 1000", "passes over the text"),
        ("loop.max_time", f"{duration} or null", "null", "above 0", "stop after it"),
        ("loop.save_every", duration, "300.0", "", "time between checkpoints"),
        ("loop.shuffle", "true or false", "false", "", "in a new order each epoch"),
        ("name", "text", "''", "", "what it is called"),
        ("bits", "one of 16, 32", "32", "", "precision"),
    ]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("rule.lr", ["rule[sgd].lr", "rule[adam].lr"]),
        ("rule[adam]", ["rule[adam]", "rule[adam].lr", "rule[adam].beta"]),
        ("rule[adam].lr", ["rule[adam].lr"]),
        ("loop", ["loop", "loop.epochs", "loop.max_time", "loop.save_every", "loop.shuffle"]),
        ("start.size", ["start[plain].size"]),  # where the family is not explained in the whole
    ],
)
def test_explain_one_path(path, expected):
    assert [row.path for row in explain(Root, path)] == expected


def test_explain_suggests_a_path():
    with pytest.raises(UsageError) as caught:
        explain(Root, "loop.epoch")
    assert caught.value.message == "loop.epoch: no such option; did you mean 'loop.epochs'?"
    with pytest.raises(UsageError) as caught:
        explain(Root, "xyz")
    assert caught.value.message == "xyz: no such option"


# --- Families ---


def test_a_family_knows_its_members_in_order():
    assert Layer.kinds() == {"plain": Plain, "stacked": Stacked}
    assert list(Layer.kinds()) == ["plain", "stacked"]
    assert Plain.kind == "plain"
    assert (Layer.default_kind(), Rule.default_kind(), Adam.default_kind()) == (None, "sgd", "adam")


def test_a_kind_is_taken_once():
    with pytest.raises(TypeError, match=re.escape("Again: the kind 'plain' is taken by Plain")):

        class Again(Layer, kind="plain"):
            pass


# --- The command ---


@pytest.fixture
def run(capsys):
    """A function that runs `rnnlm config ...`: -> exit status, what is on stdout and stderr."""

    def run(*arguments):
        with pytest.raises(SystemExit) as exit:
            main(["config", *arguments])
        return exit.value.code or 0, *capsys.readouterr()

    return run


def test_show_prints_the_whole_configuration(run):
    Path("x.yaml").write_text("data: {train: a.txt}\noptimizer: adam\n")
    status, shown, messages = run("show", "x.yaml", "--set", "optimizer.lr=0.5", "--set", "seed=7")
    assert (status, messages) == (0, "override optimizer.lr: 0.001 -> 0.5\noverride seed: 1 -> 7\n")
    assert "optimizer:\n  kind: adam\n  lr: 0.5\n" in shown
    Path("y.yaml").write_text(shown)
    assert run("show", "y.yaml") == (0, shown, "")


def test_show_refuses_mistakes(run):
    Path("x.yaml").write_text("optimizer: {lrr: 0.5}\ndata: {train: a.txt}\n")
    assert run("show", "x.yaml", "--set", "seed=-1") == (
        2,
        "",
        "rnnlm: error: x.yaml:1: optimizer.lrr: unknown key; did you mean 'lr'? (known: lr)\n"
        "--set seed=-1: expected an integer of at least 0, found -1\n"
        "  hint: `rnnlm config explain` lists every option\n",
    )


def test_check_reports_each_file(run):
    Path("x.yaml").write_text("data: {train: a.txt}\n")
    Path("y.yaml").write_text("data: {train: []}\nseed: -1\n")
    status, report, _ = run("check", "x.yaml", "y.yaml", "z.yaml")
    assert report.splitlines() == [
        "x.yaml: ok",
        "y.yaml:1: data.train: expected at least one file, found none",
        "y.yaml:2: seed: expected an integer of at least 0, found -1",
        f"z.yaml: no such file (tried {Path.cwd()}/z.yaml)",
    ]
    assert status == 2
    assert run("check", "x.yaml") == (0, "x.yaml: ok\n", "")


def test_explain_prints_the_reference(run):
    assert run("explain", "optimizer[sgd].lr") == (
        0,
        "optimizer[sgd].lr: number, above 0, default 0.1\n    learning rate\n",
        "",
    )
    assert "data.train: list (each item text), required\n" in run("explain", "data")[1]
    assert run("explain")[1].count("\n") > 100


def test_explain_refuses_an_unknown_path(run):
    assert run("explain", "optimiser") == (
        2,
        "",
        "rnnlm: error: optimiser: no such option; did you mean 'optimizer'?\n"
        "  hint: `rnnlm config explain` lists every option\n",
    )


def test_every_option_has_an_explanation():
    from rnnlm.experiment import Config

    assert [row.path for row in explain(Config) if not row.doc] == []


def test_help_needs_no_numpy():
    code = "import sys; sys.modules['numpy'] = None; from rnnlm.cli import main; main(['config', '--help'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Print the reference of all options." in done.stdout

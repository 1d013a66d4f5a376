"""The page of a run: which sections it has, their figures, and texts that would be HTML."""

import json
import re
from html.parser import HTMLParser

import pytest

from rnnlm.errors import DataError
from rnnlm.report.contents import SECTIONS, contents, duration
from rnnlm.report.page import render
from tests.report import runs

pytest.importorskip("jinja2")
VOID = {"meta", "input", "br"}


class Page(HTMLParser):
    """A page as a browser would take it apart: its elements, with their attributes and text."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.open, self.text = [], [], ""
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        element = {"tag": tag, "text": "", **dict(attributes)}
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag, attributes):
        self.elements.append({"tag": tag, "text": "", **dict(attributes)})

    def handle_endtag(self, tag):
        assert self.open[-1]["tag"] == tag
        self.open.pop()

    def handle_data(self, data):
        for element in self.open:
            element["text"] += data

    def all(self, tag):
        return [element for element in self.elements if element["tag"] == tag]

    def by_id(self, name):
        (element,) = (element for element in self.elements if element.get("id") == name)
        return element


def page_of(path, **options):
    report = contents(path, **options)
    return report, Page(render(report).decode())


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return runs.train(tmp_path_factory.mktemp("stream"), min_count=2)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    return runs.train(tmp_path_factory.mktemp("hostile"), lines=runs.hostile_lines)


# --- sections ---

LEFT_OUT = {
    "stream": set(),
    "sentences": set(),
    "char": set(),
    "blanks": {"surprise", "gradients"},
    "labelled": {"surprise", "gradients"},
    "pairs": {"surprise", "gradients"},
    "vectors": {"surprise", "gradients"},
    "trees": {"surprise", "gradients", "units"},
}


@pytest.mark.parametrize("name", runs.MODELS)
def test_sections_of_every_task(tmp_path, name):
    report, page = page_of(runs.train(tmp_path, name))
    assert [section.id for section in report.sections] == list(SECTIONS)
    assert {section.id for section in report.sections if section.data is None} == LEFT_OUT[name]
    assert all(section.missing for section in report.sections if section.data is None)
    for section in report.sections:
        assert len(page.by_id(section.id)["text"].split()) > len(section.title.split()) + 3


def test_figures_are_those_of_the_log(run):
    report, _ = page_of(run)
    log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    best = min((record for record in log if "valid_nats" in record), key=lambda record: record["valid_nats"])
    found = {section.id: section.data for section in report.sections}
    assert found["quality"]["surprise"].perplexity == pytest.approx(best["valid_ppl"], rel=1e-5)
    assert dict(report.key)["validation perplexity"] == f"{best['valid_ppl']:.4g}"
    row = found["curves"]["rows"][found["curves"]["best"]]
    assert row[-1] == f"{best['valid_ppl']:.2f}"
    training, validation = found["trained"]["texts"]
    lines = (run.parent / "train.txt").read_text().splitlines()
    assert (training.sentences, training.words) == (len(lines), sum(len(line.split()) for line in lines))
    assert (validation.sentences, validation.state) == (20, "as at training")


def test_samples_are_those_of_the_run(run):
    report, page = page_of(run)
    (data,) = (section.data for section in report.sections if section.id == "samples")
    assert len(data["validations"]) == data["all"] == 3
    lines = [line for one in data["validations"] for line in one["lines"]]
    assert lines == [line for line in (run / "samples.txt").read_text().splitlines() if not line.startswith("# ")]
    assert page.by_id("validation")["max"] == "3"


def test_likeliest_words(run):
    report, page = page_of(run)
    expected = json.loads(page.by_id("expected")["text"])
    (data,) = (section.data for section in report.sections if section.id == "surprise")
    assert len(expected["rows"]) == len(data["tokens"])
    for (bits, likely), token in zip(expected["rows"], data["tokens"]):
        p = [p for _, p in likely]
        assert len(p) == 5
        assert p == sorted(p, reverse=True)
        assert sum(p) <= 1.001
        names = [expected["words"][i] for i, _ in likely]
        if token["known"] and token["text"] in names:  # what came is among them with the probability that its bits say
            assert p[names.index(token["text"])] == pytest.approx(2**-bits, rel=0.01, abs=1e-4)


def test_nearest_words(run):
    _, page = page_of(run)
    found = json.loads(page.by_id("neighbours")["text"])
    assert len(found["words"]) == len(found["near"])
    for i, near in enumerate(found["near"]):
        assert i not in [other for other, _ in near]
        cosines = [cosine for _, cosine in near]
        assert cosines == sorted(cosines, reverse=True)


def test_text_that_has_changed_or_is_gone(tmp_path):
    run = runs.train(tmp_path)
    (tmp_path / "valid.txt").write_text("the cat sees a dog now\n" * 30)
    report, _ = page_of(run)
    states = [text.state for text in report.sections[0].data["texts"]]
    assert states == ["as at training", "has changed since training"]
    (tmp_path / "valid.txt").unlink()
    report, _ = page_of(run)
    missing = {section.id: section.missing for section in report.sections if section.data is None}
    assert "valid.txt" in missing["surprise"]
    assert {"trained", "curves", "samples", "words", "again"}.isdisjoint(missing)
    assert report.sections[0].data["texts"][1].state == "not there now"


def test_share_of_the_training_text(tmp_path):
    run = runs.train(tmp_path, valid=0.2)
    report, _ = page_of(run)
    found = {section.id: section.data for section in report.sections}
    training, validation = found["trained"]["texts"]
    assert training.sentences + validation.sentences == 150
    last = (tmp_path / "train.txt").read_text().splitlines()[training.sentences].split()
    assert [token["text"] for token in found["surprise"]["tokens"][: len(last)]] == last


def test_another_text(run, tmp_path):
    (tmp_path / "other.txt").write_text("the fish finds a quagga now\n" * 8)
    report, _ = page_of(run, text=str(tmp_path / "other.txt"))
    (data,) = (section.data for section in report.sections if section.id == "surprise")
    assert [(token["text"], token["known"]) for token in data["tokens"][4:6]] == [("quagga", False), ("now", True)]
    with pytest.raises(DataError):
        contents(run, text=str(tmp_path / "nowhere.txt"))


def test_model_file_alone(run):
    report, _ = page_of(run / "best.npz")
    assert {section.id for section in report.sections if section.data is None} == {"curves", "samples"}


def test_run_without_a_log(tmp_path):
    run = runs.train(tmp_path)
    for name in ("log.jsonl", "samples.txt", "env.json", "command.txt"):
        (run / name).unlink()
    report, _ = page_of(run)
    assert {section.id for section in report.sections if section.data is None} == {"curves", "samples"}


def test_no_run_at_all(tmp_path):
    with pytest.raises(DataError):
        contents(tmp_path)


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0 s"), (45, "45 s"), (125, "2:05 min"), (3725, "1:02:05 h")])
def test_durations(seconds, text):
    assert duration(seconds) == text


# --- nothing but a page ---


def test_nothing_is_requested(run):
    _, page = page_of(run)
    for element in page.elements:
        assert element["tag"] not in ("link", "img", "iframe", "object", "embed", "base", "video", "audio")
        assert "src" not in element
        assert element.get("href", "#").startswith("#")
    text = render(contents(run)).decode()
    assert "url(" not in text
    assert "@import" not in text
    (policy,) = (one["content"] for one in page.all("meta") if one.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none';")


def test_hostile_text_is_text(hostile):
    report, page = page_of(hostile)
    assert [one.get("type") for one in page.all("script")] == ["application/json"] * 2 + [None]
    assert not page.all("img")
    handlers = [name for one in page.elements for name in one if name.startswith("on")]
    assert handlers == []
    words = [one["text"] for one in page.elements if one["tag"] == "bdi"]
    assert {
        "<script>alert(1)</script>",
        "<img/src=x/onerror=alert(1)>",
        "{{7*7}}",
        "{%raw%}",
        "<!--",
        "&lt;b&gt;",
    } <= set(words)
    assert "49" not in words
    assert any(word.endswith("(10,000 characters)") for word in words)
    assert {"\\u202egnp.exe", "\\x1b[31mred\\x07", "\u05e9\u05dc\u05d5\u05dd\\u200f", "中文"} <= set(words)
    for name in ("expected", "neighbours"):
        found = json.loads(page.by_id(name)["text"])
        assert "<script>alert(1)</script>" in found["words"]
        assert max(map(len, found["words"])) < 100


def test_hostile_text_in_json_cannot_end_its_script(hostile):
    text = render(contents(hostile)).decode()
    for script in re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', text, re.S):
        assert not re.search(r"[<>&]", script)


def test_nothing_hidden_is_in_the_page(hostile):
    text = render(contents(hostile)).decode()
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]", text)


def test_every_picture_has_words(run):
    _, page = page_of(run)
    pictures = page.all("svg")
    assert pictures
    for picture in pictures:
        assert picture.get("aria-hidden") == "true" or (picture["role"] == "img" and len(picture["aria-label"]) > 20)


def test_every_control_has_a_label(run):
    _, page = page_of(run)
    labelled = {one["for"] for one in page.all("label")}
    assert {one["id"] for one in page.all("input")} == labelled
    ids = [one["id"] for one in page.elements if "id" in one]
    assert len(ids) == len(set(ids))
    assert {one["href"] for one in page.all("a")} <= {f"#{name}" for name in ids}

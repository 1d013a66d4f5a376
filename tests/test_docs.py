"""The documents: the parts that the program writes are up to date, and every link leads somewhere."""

import re
from pathlib import Path

import pytest
from cogapp import Cog

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("data/*.md")])
WRITTEN = [page for page in PAGES if "[[[cog" in page.read_text(encoding="utf-8")]


def name_of(page):
    return str(page.relative_to(ROOT))


def headings(page):
    """The anchors of a page: its headings as GitHub makes links of them."""
    prose = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    lines = re.findall(r"^#+ (.*)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in lines}


def links(page):
    """(path, anchor) of every link to a file of the repository."""
    shown = re.sub(r"<!--.*?-->", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", shown):
        if not re.match("[a-z]+:", target):
            path, _, anchor = target.partition("#")
            yield (page.parent / path if path else page), anchor


def test_pages_that_the_program_writes_are_known():
    assert [page.name for page in WRITTEN] == ["commands.md", "configuration.md", "tutorial.md"]


@pytest.mark.parametrize("page", WRITTEN, ids=name_of)
def test_what_the_program_writes_is_up_to_date(page, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")  # the page must not depend on the terminal
    status = Cog().main(["cog", "--check", "--diff", str(page)])
    assert status == 0, f"run `make docs`\n{capsys.readouterr().out}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_somewhere(page):
    lost = [str(path) for path, _ in links(page) if not path.exists()]
    assert lost == []
    anchors = [(path, anchor) for path, anchor in links(page) if anchor and path.suffix == ".md"]
    assert [anchor for path, anchor in anchors if anchor not in headings(path)] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_file_that_is_named_exists(page):
    named = set(re.findall(r"\b(?:rnnlm|tests|configs)/[\w/.-]*\.(?:py|yaml)\b", page.read_text(encoding="utf-8")))
    known = named - {"rnnlm/nn/cells/independent.py"}  # which CONTRIBUTING adds
    assert sorted(name for name in known if not (ROOT / name).exists()) == []

"""Pictures: fonts that have the characters, and texts that are shown as they are."""

import pytest

from rnnlm.cli.show.plot import fonts_for, label, pyplot_for, save

pytest.importorskip("matplotlib")
NOWHERE = "\U0010fffd"  # a character that no font has


def test_matplotlibs_own_font_is_enough_for_latin_letters():
    assert fonts_for("abcéж") == (["DejaVu Sans"], set())


def test_a_character_that_no_font_has():
    families, missing = fonts_for(["a", NOWHERE])
    assert missing == {NOWHERE}


def test_a_font_that_has_the_character_is_added(monkeypatch):
    monkeypatch.setattr("rnnlm.cli.show.plot.known_fonts", lambda: [("Latin", "latin.ttf"), ("Han", "han.ttf")])
    maps = {"latin.ttf": {ord("a"): 1}, "han.ttf": {ord("猫"): 1}}
    monkeypatch.setattr("rnnlm.cli.show.plot.charmap", lambda file: maps.get(file, {ord("a"): 1}))
    assert fonts_for("a猫") == (["DejaVu Sans", "Han"], set())


def test_a_font_that_was_installed_meanwhile_is_found(monkeypatch):
    monkeypatch.setattr("rnnlm.cli.show.plot.known_fonts", list)
    monkeypatch.setattr("rnnlm.cli.show.plot.new_fonts", lambda: [("Han", "han.ttf")])
    monkeypatch.setattr("rnnlm.cli.show.plot.charmap", lambda file: {ord("猫"): 1} if file == "han.ttf" else {})
    assert fonts_for("猫") == (["DejaVu Sans", "Han"], set())


@pytest.mark.parametrize(("character", "package"), [("猫", "fonts-noto-cjk"), (NOWHERE, "fonts-noto-core")])
def test_a_note_says_which_font_to_install(tmp_path, monkeypatch, capsys, character, package):
    monkeypatch.setattr("rnnlm.cli.show.plot.known_fonts", list)
    monkeypatch.setattr("rnnlm.cli.show.plot.new_fonts", list)
    pyplot = pyplot_for(tmp_path / "a.svg")
    figure, axes = pyplot.subplots()
    axes.set_title(character)
    save(figure, tmp_path / "a.svg")
    pyplot.close("all")
    (note,) = capsys.readouterr().err.splitlines()
    assert package in note
    assert character in note


def test_a_text_is_no_formula(tmp_path):
    pyplot = pyplot_for(tmp_path / "a.svg")
    for text in ("$x^2$", "$", r"$\frac$", "a_{b", "\x1b\u202e\n", "<img onerror=alert(1)>"):
        figure, axes = pyplot.subplots()
        axes.set_title(label(text))
        save(figure, tmp_path / "a.svg")
        pyplot.close("all")
        assert "<img" not in (tmp_path / "a.svg").read_text()


def test_labels_are_cut():
    assert label("x" * 100, 10) == "x" * 9 + "…"
    assert label("a$b") == r"a\$b"

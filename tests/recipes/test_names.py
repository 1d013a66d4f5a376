"""Recipes by name, in a checkout and in what is installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from rnnlm import config
from rnnlm.errors import UsageError
from rnnlm.experiment import Config
from rnnlm.recipes.names import about, config_file, is_text, recipes, run_name
from tests.kinds import refused

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The package as a wheel has it: a folder."""
    folder = tmp_path_factory.mktemp("built")
    command = [sys.executable, "setup.py", "-q", "build", "--build-base", str(folder / "b"), "--build-lib", str(folder)]
    egg = ["egg_info", "--egg-base", str(folder)]
    done = subprocess.run([*command[:3], *egg, *command[3:]], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_recipes_are_the_files_of_configs():
    assert [path.name for path in recipes().values()] == sorted(path.name for path in (ROOT / "configs").glob("*.yaml"))
    assert {path.parent for path in recipes().values()} == {ROOT / "configs"}


def test_an_installed_package_knows_its_recipes(built, tmp_path):
    """Where there is no checkout."""

    def rnnlm(*arguments):
        command, env = [sys.executable, "-m", "rnnlm", *arguments], {"PYTHONPATH": str(built)}
        return subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)

    listed = rnnlm("config", "list")
    assert [line.split()[0] for line in listed.stdout.splitlines()] == list(recipes())
    for name, path in recipes().items():
        assert (built / "rnnlm/configs" / f"{name}.yaml").read_bytes() == path.read_bytes()
    shown = rnnlm("config", "show", "char")
    assert shown.stdout == config.dump(config.load(recipes()["char"], Config)[0])
    (tmp_path / "my.txt").write_text("the cat sees a dog\n" * 200)
    done = rnnlm("train", "char", "--train", "my.txt", "--dry-run", "--set", "model.cell.size=9")
    assert (done.returncode, "cell.W 9x9" in done.stderr) == (0, True)


def test_what_a_name_means(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert config_file("char") == ROOT / "configs/char.yaml"
    assert "train char" in refused(UsageError, config_file, "configs/char.yaml")[1]
    assert "'char-tanh'" in refused(UsageError, config_file, "char-tahn")[0]
    assert config_file("none.yaml") == Path("none.yaml")
    (tmp_path / "char").write_text("data: {train: t.txt}\n")  # a file goes before a recipe
    assert config_file("char") == Path("char")


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("a.yaml", b"words of a text\n", False),
        ("a.yml", b"", False),
        ("a", b"data: {train: x}\n", False),
        ("a", b"# comment\nmodel:\n  kind: lm\n", False),
        ("a.txt", b"the data: it is\n\tindented\n", True),
        ("a.txt", b"title: of a poem\n", True),
        ("a", b"", True),
        ("a", b"\xff\xfe", True),
        ("a", b"- a\n- b\n", True),
        ("a", b"x " * 200_000, True),
    ],
)
def test_whether_a_file_is_a_text(tmp_path, name, content, text):
    (tmp_path / name).write_bytes(content)
    assert is_text(tmp_path / name) == text


def test_folders_and_patterns(tmp_path, monkeypatch):
    assert not is_text(tmp_path)
    (tmp_path / "a.txt").write_text("a b\n")
    assert is_text(tmp_path)
    assert is_text(tmp_path / "*.txt")
    monkeypatch.chdir(tmp_path)
    assert not is_text(Path(""))  # rnnlm train "$unset"
    assert not is_text(Path("char"))
    for name in ("config.yaml", "last.npz"):  # even half a run
        (tmp_path / name).touch()
        assert not is_text(tmp_path)
        (tmp_path / name).unlink()


@pytest.mark.parametrize(("text", "name"), [
    ("my.txt", "my"), ("configs/char.yaml", "char"), ("char", "char"), ("books/", "books"), ("books/*.txt", "books"),
    ("books/**/*.txt", "books"), ("~/books", "books"), ("*.txt", "here"), (".", "here"), ("-", "text"),
    ("/dev/null", "text"),
])  # fmt: skip
def test_the_name_of_a_run(tmp_path, monkeypatch, text, name):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert run_name(text) == name


def test_every_recipe_says_what_it_trains():
    for path in recipes().values():
        assert 15 < len(about(path)) < 180

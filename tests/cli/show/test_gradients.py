"""`rnnlm show gradients`: its figures, its table, and what it refuses."""

import json

import pytest


@pytest.mark.parametrize("name", ["stream", "sentences", "char"])
def test_model_at_the_start_and_trained(rnnlm, trained, name):
    status, out, err = rnnlm("show", "gradients", trained[name], "--lags", "4", "--json")
    assert (status, err) == (0, "")
    found = json.loads(out)
    assert [curve["when"] for curve in found["curves"]] == ["at the start", "trained"]
    for curve in found["curves"]:
        assert len(curve["quartiles"]) == len(curve["bound"]) == len(curve["hidden"]) == 5
        assert curve["quartiles"][0] == [1, 1, 1]
        assert all(high <= bound * (1 + 1e-6) for (_, _, high), bound in zip(curve["quartiles"], curve["bound"]))
    assert found["curves"][0]["singular"] == pytest.approx([1] * 16, abs=1e-5)  # W starts orthogonal


def test_table(rnnlm, trained):
    status, out, err = rnnlm("show", "gradients", trained["stream"], "--lags", "3", "--text", trained["test.txt"])
    assert (status, err) == (0, "")
    assert "\x1b" not in out
    lines = out.splitlines()
    head = next(i for i, line in enumerate(lines) if line.split()[:1] == ["lag"])
    assert [line.split()[0] for line in lines[head + 1 : head + 5]] == ["0", "1", "2", "3"]
    assert "test.txt" in lines[0]


def test_configuration(rnnlm, tiny):
    status, out, err = rnnlm("show", "gradients", "tiny.yaml", "--lags", "2", "--json")
    assert (status, err) == (0, "")
    assert [curve["when"] for curve in json.loads(out)["curves"]] == ["at the start"]


@pytest.mark.parametrize("lags", ["0", "5000", "x"])
def test_lags_that_cannot_be(rnnlm, trained, lags):
    status, out, err = rnnlm("show", "gradients", trained["stream"], "--lags", lags)
    assert (status, out) == (2, "")
    assert "--lags" in err


def test_text_that_is_too_short(rnnlm, trained):
    status, out, err = rnnlm("show", "gradients", trained["stream"], "--lags", "30", "--tokens", "30")
    assert (status, out) == (1, "")
    assert "30" in err


def test_picture(rnnlm, trained, tmp_path):
    status, _, err = rnnlm("show", "gradients", trained["stream"], "--lags", "3", "--plot", "fade.svg")
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        assert (status, "rnnlm[plot]" in err) == (2, True)
    else:
        assert status == 0
        assert (tmp_path / "fade.svg").read_bytes().startswith(b"<?xml")

"""A model file of version 0.1: two layers, a tied softmax and dropout. It must go on loading, with the same figures."""

import json
from pathlib import Path

import pytest

FILES = Path(__file__).parent / "files"


@pytest.mark.parametrize(
    ("state", "ppl", "ppl_unk"),
    [("--continuous", 2.4761635098620376, 2.894208741012199), ("--independent", 2.650985294629468, 3.094813649357257)],
)
def test_a_model_of_version_0_1(rnnlm, state, ppl, ppl_unk):
    status, out, _ = rnnlm("eval", FILES / "version-0.1.npz", FILES / "version-0.1.txt", state, "--json")
    assert status == 0
    figures = json.loads(out)
    assert (figures["words"], figures["oovs"], figures["vocab_size"]) == (215, 4, 14)
    assert figures["ppl"] == pytest.approx(ppl, rel=1e-6)
    assert figures["ppl_unk"] == pytest.approx(ppl_unk, rel=1e-6)

"""Models of other programs are refused by name; an ARPA file in the place of a network is called one."""

import gzip
import re

import pytest

from rnnlm.errors import DataError, UsageError
from rnnlm.lm import arpa
from rnnlm.loading import load_model, load_text_model

ARPA = "\\data\\\nngram 1=3\n\n\\1-grams:\n-99\t<s>\t0\n-0.3\t</s>\t0\n-0.3\ta\t0\n\n\\end\\\n"
FOREIGN = {
    "iARPA": (f"iARPA\n{ARPA}".encode(), "iARPA", "compile-lm"),
    "blank": (f"\n iARPA \n{ARPA}".encode(), "iARPA", "compile-lm"),
    "bom": (f"\ufeffiARPA\n{ARPA}".encode(), "iARPA", "compile-lm"),
    "qARPA": (f"qARPA 1 256\n{ARPA}".encode(), "qARPA", "ARPA file"),
    "irstlm": (b"blmt 3 10 20 30\n\0\1", "IRSTLM", "compile-lm"),
    "quantized": (b"Qblmt 3 10 20 30\n\0\1", "quantized binary file of IRSTLM", "ARPA file"),
    "kenlm": (b"mmap lm http://kheafield.com/code format version 5\n\0\0\0", "KenLM", "ARPA file"),
    "srilm": (b"SRILM_BINARY_NGRAM_002\n\xef\xcd", "SRILM", "ngram -lm"),
    "sphinx": (b"\x11\0\0\0Darpa Trigram LM\0", "Sphinx", "sphinx_lm_convert"),
    "kaldi": (b"\0B<ConstArpaLm> \4", "const-arpa", "ARPA file"),
    "fst": (b"\xd6\xfd\xb2\x7e\6\0\0\0vector", "OpenFst", "ARPA file"),
    "mikolov": (b"version: 10\nfile format: 0\n\ntraining data file: x\n", "Mikolov", "rnnlm train"),
}


@pytest.mark.parametrize("suffix", ["", ".gz", ".arpa"])
@pytest.mark.parametrize("name", FOREIGN)
def test_models_of_other_programs_are_named(tmp_path, name, suffix):
    content, what, hint = FOREIGN[name]
    path = tmp_path / f"model{suffix}"
    path.write_bytes(gzip.compress(content) if suffix == ".gz" else content)
    for load in (load_text_model, load_model):
        with pytest.raises(DataError, match=f"^{re.escape(str(path))}: .*{what}") as error:
            load(path)
        assert hint in error.value.hint


def test_an_arpa_file_is_no_network(tmp_path):
    (tmp_path / "lm").write_text(ARPA)
    with pytest.raises(UsageError, match="ARPA file.*network"):
        load_model(tmp_path / "lm")
    assert load_text_model(tmp_path / "lm").scorer.vocab.words[3:] == ["a"]


def test_text_before_the_data_is_skipped_whatever_it_mentions(tmp_path):
    (tmp_path / "lm.arpa").write_text("made from an iARPA file\nqARPARENT\n" + ARPA)
    assert arpa.load(tmp_path / "lm.arpa").order == 1


@pytest.mark.parametrize(
    "number", ["-inf", "-INF", "-Infinity", "-1.#INF", "-1.#INF00", "-99", "-1E+002", "-1.0e+0300"]
)
def test_ways_to_write_zero(tmp_path, number):
    (tmp_path / "lm.arpa").write_text(ARPA.replace("-0.3\ta", f"{number}\ta"))
    assert arpa.load(tmp_path / "lm.arpa").orders[0].log_p[-1] == -float("inf")


@pytest.mark.parametrize("number", ["nan", "inf", "1.#INF", "-1.#IND", "-0,3", "1_0", "x"])
def test_what_is_no_number_is_named(tmp_path, number):
    (tmp_path / "lm.arpa").write_text(ARPA.replace("-0.3\ta\t0", f"-0.3\ta\t{number}"))
    with pytest.raises(DataError, match=r"lm.arpa:7: .*a number for a backoff weight"):
        arpa.load(tmp_path / "lm.arpa")

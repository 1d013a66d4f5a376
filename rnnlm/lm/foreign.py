"""Language models of other programs that are no ARPA files, told by how they begin."""

from __future__ import annotations

import contextlib
import os

from rnnlm.encodings import kind_of
from rnnlm.errors import DataError
from rnnlm.text.lines import TextPath, opened

HEAD = 1 << 16  # bytes that are looked at
AGAIN = "nothing turns it back: name the ARPA file that it was made from"
IRSTLM = "write an ARPA file with: compile-lm --text yes {0} {0}.arpa"
SRILM = "write an ARPA file with: ngram -lm {0} -write-lm {0}.arpa"
SPHINX = "write an ARPA file with: sphinx_lm_convert -i {0} -o {0}.arpa"
TRAIN = "its weights cannot be read here: train one with `rnnlm train`"
FORMATS = [  # how the file begins, what it is, how to convert it
    (rb"\s*iARPA\b", "IRSTLM's intermediate format (iARPA), whose numbers are not ARPA's", IRSTLM),
    (rb"\s*qARPA\b", "IRSTLM's quantized format (qARPA)", AGAIN),
    (rb"blmt\b", "a binary file of IRSTLM", IRSTLM),
    (rb"Qblmt\b", "a quantized binary file of IRSTLM", AGAIN),
    (rb"mmap lm http://kheafield\.com/code", "a binary file of KenLM", AGAIN),
    (rb"SRILM_BINARY_NGRAM_", "a binary file of SRILM", SRILM),
    (rb"(?s:.{0,8})Darpa Trigram LM|Trie Language Model", "a binary file of CMU Sphinx", SPHINX),
    (rb"\0B<ConstArpaLm>", "a const-arpa file of Kaldi", AGAIN),
    (rb"\xd6\xfd\xb2\x7e", "a transducer of OpenFst, such as Kaldi's G.fst", AGAIN),
    (rb"version: \d+\s+file format: ", "a network of Mikolov's RNNLM toolkit", TRAIN),
]


def head(path: TextPath) -> bytes:
    """First bytes of a file, decompressed; none if it cannot be read."""
    with contextlib.suppress(DataError), opened(path) as stream:
        return stream.read(HEAD)
    return b""


def refuse(begins: bytes, name: str) -> None:
    """Raise DataError, which names the format and how to convert it, for the model of another program.

    begins: the first bytes of a file. name: of the file.
    """
    if kind := kind_of(begins.removeprefix(b"\xef\xbb\xbf"), name, FORMATS):
        raise DataError(f"{name}: {kind.what}, expected an ARPA file or a model of rnnlm", kind.hint)


def refuse_file(path: TextPath) -> None:
    """Raise DataError for a file that is the model of another program: see `refuse`."""
    if os.path.isfile(path):
        refuse(head(path), str(path))

"""Corpora, texts to train on: `rnnlm data` lists, downloads, builds and checks them."""

from collections.abc import Callable

PARTS = ("train", "valid", "test")
Progress = Callable[[int, int], object]  # told (done, total): bytes of a download, files that a corpus is built from

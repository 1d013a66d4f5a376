"""Corpora, texts to train on: `rnnlm data` lists, downloads, builds and checks them."""

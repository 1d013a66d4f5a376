"""Rescore the n-best lists of a speech recogniser."""

"""Rescoring of a speech recogniser's n-best lists: formats, scores, word error rates, tuning of weights."""

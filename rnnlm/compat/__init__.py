"""Interfaces of other programs on models of rnnlm."""

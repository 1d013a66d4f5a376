"""Fuzzing: everything that reads what a user or a stranger hands in gets valid inputs, mutated, and plain noise.

Anything but a result or a RnnlmError is a bug. `make fuzz` runs it at length (`python -m tests.fuzz --help`),
tests/test_fuzz.py for a moment. An input is a function of the reader's name and a seed, so a finding can be repeated.
"""

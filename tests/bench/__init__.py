"""Tables of times and memory: `make bench`, or `python -m tests.bench --help` from the root of the repository.

Whatever is compared is measured in one run: every contender is a process of its own, and they take turns, one burst of
work each, so that a slow moment of the machine hits all alike (`race`). Figures are medians over the turns, with the
10th and 90th percentile in brackets; ratios are formed turn by turn. Nothing is asserted.
"""

"""One page that shows a run: what it learnt, how, and how to run it again."""

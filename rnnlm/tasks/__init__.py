"""Tasks: one file for each value of `data.reading`. The imports below are all that mentions a new one."""

# isort: off
import rnnlm.tasks.text
import rnnlm.tasks.blanks
import rnnlm.tasks.labelled
import rnnlm.tasks.pairs
import rnnlm.tasks.vectors
import rnnlm.tasks.trees  # noqa: F401

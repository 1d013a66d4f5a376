"""rnnlm: recurrent-network language models in NumPy."""

import rnnlm.threads  # noqa: F401  (first: it must speak before NumPy is loaded)

__version__ = "0.1.0"

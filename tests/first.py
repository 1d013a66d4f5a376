"""To be imported first, before NumPy is loaded: threads as under the command line."""

from rnnlm.nn.threads import own_threads

own_threads()

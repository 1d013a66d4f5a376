"""The heads: one import per file, the only place where a new head is mentioned."""

from rnnlm.heads.adaptive import Adaptive
from rnnlm.heads.base import Head, Loss
from rnnlm.heads.scores import Scores
from rnnlm.heads.softmax import Softmax

__all__ = ["Adaptive", "Head", "Loss", "Scores", "Softmax"]

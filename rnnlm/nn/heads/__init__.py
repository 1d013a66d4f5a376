"""The heads: one import per file, the only place where a new head is mentioned."""

from rnnlm.nn.heads.adaptive import Adaptive
from rnnlm.nn.heads.base import Head
from rnnlm.nn.heads.loss import Loss
from rnnlm.nn.heads.scores import Scores
from rnnlm.nn.heads.softmax import Softmax

__all__ = ["Adaptive", "Head", "Loss", "Scores", "Softmax"]

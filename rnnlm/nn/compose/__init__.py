"""The compositions of tree networks: one import per file, the only place where a new one is mentioned."""

from rnnlm.nn.compose.base import Composition
from rnnlm.nn.compose.recursive import Recursive
from rnnlm.nn.compose.tree_lstm import TreeLSTM

__all__ = ["Composition", "Recursive", "TreeLSTM"]

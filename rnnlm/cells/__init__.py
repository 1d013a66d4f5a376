"""The recurrent cells: one import per file, the only place where a new cell is mentioned."""

from rnnlm.cells.base import Cell
from rnnlm.cells.gru import GRU
from rnnlm.cells.lstm import LSTM
from rnnlm.cells.stack import Stack
from rnnlm.cells.vanilla import Vanilla

__all__ = ["GRU", "LSTM", "Cell", "Stack", "Vanilla"]

"""The recurrent cells: one import per file, the only place where a new cell is mentioned."""

from rnnlm.cells.base import Cell
from rnnlm.cells.lstm import LSTM
from rnnlm.cells.stack import Stack
from rnnlm.cells.vanilla import Vanilla

__all__ = ["LSTM", "Cell", "Stack", "Vanilla"]

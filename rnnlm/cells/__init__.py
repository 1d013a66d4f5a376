"""The recurrent cells: one import per file, the only place where a new cell is mentioned."""

from rnnlm.cells.base import Cell
from rnnlm.cells.bidirectional import Bidirectional
from rnnlm.cells.gru import GRU
from rnnlm.cells.jordan import Jordan
from rnnlm.cells.leaky import Leaky
from rnnlm.cells.lstm import LSTM
from rnnlm.cells.reservoir import Reservoir
from rnnlm.cells.stack import Stack
from rnnlm.cells.vanilla import Vanilla

__all__ = ["GRU", "LSTM", "Bidirectional", "Cell", "Jordan", "Leaky", "Reservoir", "Stack", "Vanilla"]

"""The recurrent cells: one import per file, the only place where a new cell is mentioned."""

from rnnlm.nn.cells.base import Cell
from rnnlm.nn.cells.bidirectional import Bidirectional
from rnnlm.nn.cells.gru import GRU
from rnnlm.nn.cells.jordan import Jordan
from rnnlm.nn.cells.leaky import Leaky
from rnnlm.nn.cells.lstm import LSTM
from rnnlm.nn.cells.reservoir import Reservoir
from rnnlm.nn.cells.stack import Stack
from rnnlm.nn.cells.vanilla import Vanilla

__all__ = ["GRU", "LSTM", "Bidirectional", "Cell", "Jordan", "Leaky", "Reservoir", "Stack", "Vanilla"]

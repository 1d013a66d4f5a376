"""The models: one import per file, the only place where a new model is mentioned."""

from rnnlm.nn.models.base import Model
from rnnlm.nn.models.blank import Blank
from rnnlm.nn.models.classifier import Classifier
from rnnlm.nn.models.lm import LanguageModel
from rnnlm.nn.models.seq2seq import Seq2Seq
from rnnlm.nn.models.tree import Tree
from rnnlm.nn.models.vec2seq import Vec2Seq

__all__ = ["Blank", "Classifier", "LanguageModel", "Model", "Seq2Seq", "Tree", "Vec2Seq"]

"""The models: one import per file, the only place where a new model is mentioned."""

from rnnlm.models.base import Model, Network
from rnnlm.models.blank import Blank
from rnnlm.models.classifier import Classifier
from rnnlm.models.lm import LanguageModel
from rnnlm.models.seq2seq import Seq2Seq
from rnnlm.models.vec2seq import Vec2Seq

__all__ = ["Blank", "Classifier", "LanguageModel", "Model", "Network", "Seq2Seq", "Vec2Seq"]

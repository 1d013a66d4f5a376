"""The models: one import per file, the only place where a new model is mentioned."""

from rnnlm.models.base import Model, Network
from rnnlm.models.lm import LanguageModel

__all__ = ["LanguageModel", "Model", "Network"]

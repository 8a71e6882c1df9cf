"""Labels: the words that the user chose, their bank of embeddings, and what an embedding scores."""

from saccade.engines.bank import LabelBank, LabelError
from saccade.engines.scoring import ExponentialSmoothing, LabelScorer, Smoothing, VoteSmoothing
from saccade.engines.words import Label, Words, read_labels

__all__ = [
    "ExponentialSmoothing",
    "Label",
    "LabelBank",
    "LabelError",
    "LabelScorer",
    "Smoothing",
    "VoteSmoothing",
    "Words",
    "read_labels",
]

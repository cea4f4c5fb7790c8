"""Declares the default fusion weight of a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["FusionDefaults", "MissingScore"]

MissingScore = Literal["learned", "mean", "minimum", "zero"]
"""What stands in for a score that a model cannot give: a learned distance below the mean of the
query's candidates, their mean or minimum, or the score zero."""


@dataclass(frozen=True, slots=True)
class FusionDefaults:
    """How the fusion treats a model unless the recipe says otherwise.

    Attributes:
        weight: The weight for queries of a user or a history, before any weight is learned.
        text_query_weight: The weight for queries with text.
        item_query_weight: The weight for queries that start from items ("more like this").
        rare_item_query_weight: The same where hardly any user chose these items; None: no other.
        missing_score: What stands in for a score that the model cannot give.
        must_match_text: Whether a query with text keeps only items that this model, or another
            one that declares it too, scores above zero.
    """

    weight: float = 1.0
    text_query_weight: float = 0.1
    item_query_weight: float = 1.0
    rare_item_query_weight: float | None = None
    missing_score: MissingScore = "learned"
    must_match_text: bool = False

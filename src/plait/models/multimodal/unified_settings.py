"""The settings of `unified`: those of `sequence`, what items are made of, and how it is fused."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from plait.models.image_vectors import ImageEncoderConfig
from plait.models.sequential.sequential_recommender import SequenceConfig
from plait.models.text_vectors import TextEncoderConfig
from plait.pipeline.config_validation import Limit
from plait.pipeline.search_space import Range, tunable

__all__ = ["Fusion", "UnifiedConfig"]

Fusion = Literal["concat", "gated"]
"""How the modalities of an item become one vector."""


@dataclass(frozen=True, slots=True)
class UnifiedConfig(SequenceConfig):
    """Settings of `unified`, beside those of `sequence`."""

    id_dropout: float = tunable(0.3, Range(0.0, 0.8), Limit(least=0, below=1))
    """How often, in training, an item lacks its id, as a new item does."""
    content_dropout: float = tunable(0.1, Range(0.0, 0.5), Limit(least=0, below=1))
    """How often, in training, an item lacks each of its other modalities."""
    fusion: Fusion = "concat"
    """How modalities become one vector: the sum of their projections, which is a linear layer over
    all of them together, or their mean, weighed for each item by learned gates."""
    use_text: bool = True
    """Whether the vector of a text encoder is a modality."""
    text: TextEncoderConfig = field(default_factory=TextEncoderConfig)
    """How text is encoded."""
    image: ImageEncoderConfig = field(default_factory=ImageEncoderConfig)
    """How pictures are encoded; without a folder they are no modality."""

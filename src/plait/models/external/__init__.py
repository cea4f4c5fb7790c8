"""Models whose scores or vectors come from outside Plait."""

from plait.models.external.listed_scores import Given, GivenConfig
from plait.models.external.listed_vectors import Vectors, VectorsConfig

__all__ = ["Given", "GivenConfig", "Vectors", "VectorsConfig"]

"""Models over pairs of items."""

from plait.models.item_item.linear import Linear, LinearConfig
from plait.models.item_item.neighbours import Neighbours, NeighboursConfig

__all__ = ["Linear", "LinearConfig", "Neighbours", "NeighboursConfig"]

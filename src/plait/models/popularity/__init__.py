"""Popular items."""

from plait.models.popularity.popular import Popular, PopularConfig

__all__ = ["Popular", "PopularConfig"]

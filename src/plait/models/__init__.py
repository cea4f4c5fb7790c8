"""Models that learn from behaviour or content, by family.

The names below are the models for Python: `from plait import models`, then `models.EASE(l2=200)`.
Each is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plait.experiments.estimators import (
        BM25,
        BPR,
        EASE,
        HSTU,
        IALS,
        BERT4Rec,
        Content,
        GRU4Rec,
        ItemKNN,
        LightGCN,
        Linear,
        Popular,
        SASRec,
        SVDpp,
    )
    from plait.experiments.external_estimators import Given, Vectors

__all__ = [
    "BM25",
    "BPR",
    "EASE",
    "HSTU",
    "IALS",
    "BERT4Rec",
    "Content",
    "GRU4Rec",
    "Given",
    "ItemKNN",
    "LightGCN",
    "Linear",
    "Popular",
    "SASRec",
    "SVDpp",
    "Vectors",
]

_EXTERNAL = ("Given", "Vectors")


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'plait.models' has no attribute {name!r}")
    module = "external_estimators" if name in _EXTERNAL else "estimators"
    value: object = getattr(import_module(f"plait.experiments.{module}"), name)
    globals()[name] = value
    return value

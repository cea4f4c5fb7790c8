"""Models that learn from behaviour or content, by family.

The names below are the models for Python: `from plait import models`, then `models.EASE(l2=200)`.
Each is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plait.experiments.models.estimators import (
        BM25,
        BPR,
        EASE,
        IALS,
        Content,
        ItemKNN,
        Linear,
        Popular,
        SVDpp,
    )
    from plait.experiments.models.external_estimators import Given, Vectors
    from plait.experiments.models.model_files import load
    from plait.experiments.models.network_estimators import (
        HSTU,
        BERT4Rec,
        GRU4Rec,
        LightGCN,
        SASRec,
    )
    from plait.experiments.models.stage_model import FromStage

__all__ = [
    "BM25",
    "BPR",
    "EASE",
    "HSTU",
    "IALS",
    "BERT4Rec",
    "Content",
    "FromStage",
    "GRU4Rec",
    "Given",
    "ItemKNN",
    "LightGCN",
    "Linear",
    "Popular",
    "SASRec",
    "SVDpp",
    "Vectors",
    "load",
]

_MODULES = {
    "FromStage": "stage_model",
    "Given": "external_estimators",
    "Vectors": "external_estimators",
    "load": "model_files",
    **dict.fromkeys(("BERT4Rec", "GRU4Rec", "HSTU", "LightGCN", "SASRec"), "network_estimators"),
}
"""The modules of `plait.experiments.models` that hold what is not in `estimators`."""


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'plait.models' has no attribute {name!r}")
    module = _MODULES.get(name, "estimators")
    value: object = getattr(import_module(f"plait.experiments.models.{module}"), name)
    globals()[name] = value
    return value

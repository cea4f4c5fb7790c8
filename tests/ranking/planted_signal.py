"""Strands of which is known who knows what."""

import numpy as np

from plait.pipeline.registry import stage_class
from plait.ranking.fusion.config import FuseConfig
from plait.ranking.fusion.fuse import Fuse
from tests.ranking.candidate_fixtures import ask, candidates, ragged

DECLARING = ("popular", "repeat", "content", "lexical")
"""The built-in models that declare other fusion defaults than the usual ones."""


def fuse(**config):
    """The step with the defaults that built-in models declare."""
    models = [stage_class(name)(name=name) for name in DECLARING]
    return Fuse(FuseConfig(**config), name="fuse").with_models(models)


def world(queries=600, width=30, seed=0, long=40):
    """One strand knows what short histories lead to, another what long ones do, a third nothing."""
    random = np.random.default_rng(seed)
    values = random.normal(size=(3, queries, width)).astype(np.float32)
    lengths = np.where(np.arange(queries) % 2, long, 1)
    best = np.where((lengths > 3)[:, None], values[1], values[0])
    gumbel = random.gumbel(size=best.shape)
    targets = (3 * best + gumbel).argmax(axis=1)
    items = candidates(
        *[range(width)] * queries,
        short__score=values[0],
        long__score=values[1],
        dice__score=values[2],
    )
    asked = ask(*[[0] * one for one in lengths])
    return asked, items, ragged(*[[one] for one in targets])


def weights_of(stage):
    return [one["weights"] for one in stage.describe()["bands"]]


def text_items():
    return candidates(
        [0, 1, 2, 3],
        popular__score=[[0.9, 0.1, 0.2, 0.8]],
        content__score=[[0.1, 0.9, 0.8, 0.2]],
        lexical__score=[[0.0, 5.0, 9.0, np.nan]],
    )

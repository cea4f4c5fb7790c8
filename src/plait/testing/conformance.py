"""The suite that every stage passes; it finds the stages by itself.

For a plugin of your own::

    import pytest
    from plait.testing import conformance


    @pytest.mark.parametrize(("subject", "check"), conformance.cases("mypackage.mymodel:MyModel"))
    def test_my_model_conforms(subject, check):
        conformance.run(subject, check)
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from plait.errors import InputError
from plait.features.tfidf import TfidfConfig
from plait.pipeline.registry import load_all_stages, stage_class
from plait.testing import check_answers, check_change, check_shape, check_steps
from plait.testing.stage_case import StageCase
from plait.training.config import TrainingConfig

__all__ = ["CHECKS", "EXEMPT", "VARIANTS", "Exemption", "cases", "run", "subjects"]

Check = Callable[[StageCase], None]

CHECKS: Mapping[str, Check] = {
    name: getattr(module, name)
    for module in (check_shape, check_answers, check_change, check_steps)
    for name in module.__all__
    if name != "renumbered"
}
"""All checks by name; each raises AssertionError and says what a stage got wrong."""

ALIKE = TfidfConfig(min_df=1)
"""Fields become features as usual, rare ones too: toy worlds are small."""

SHORT = TrainingConfig(epochs=2, batch_size=64)
"""As few steps as show that there is a way."""

VARIANTS: Mapping[str, tuple[Mapping[str, Any], ...]] = {
    "content": ({"svd_components": 2, "min_df": 1},),
    "fuse": ({"method": "rrf"},),
    "lexical": ({"fuzzy": False, "language": ""},),
    "factors": (
        {"method": "bpr", "factors": 8},
        {"method": "mf", "iterations": 60, "burn_in": 20},
        {"method": "svdpp", "iterations": 60, "burn_in": 20},
        {"method": "neumf", "factors": 8, "training": SHORT},
    ),
    "graph": ({"use_triples": False, "num_negatives": 4, "training": SHORT},),
    "linear": (
        {"order_aware": False},
        {"method": "dense", "max_dense_items": 10},
        {"method": "sparse", "max_predictors": 4},
        {"content_smoothing": 0.5, "content": ALIKE},
    ),
    "neighbours": ({"content_smoothing": 0.5, "content": ALIKE},),
    "popular": ({"segment_by": "country"},),
    "ratings": ({"iterations": 60, "burn_in": 20, "use_implicit_feedback": False},),
    "repeat": ({"n_neighbors": 3, "n_groups": 2, "max_neighbor_users": 20},),
    "rules": ({"seen": "cooldown"},),
    "sequence": (
        {"network": "bert4rec", "training": SHORT},
        {"network": "hstu", "training": SHORT, "loss": "sampled"},
    ),
}
"""Settings under which built-in stages are looked at, beside their defaults."""


class Exemption(NamedTuple):
    """A check that a stage need not pass, and why."""

    stage: str
    check: str
    reason: str


EXEMPT: tuple[Exemption, ...] = ()
"""All exemptions there are."""


def subjects(*stages: type[Any] | str) -> list[StageCase]:
    """Every registered stage, under its defaults and its `VARIANTS`; or the ones that are named.

    A name is one that a recipe may use: "popular", "package.module:Class".
    """
    if not stages:
        found = load_all_stages().items()
        return [
            StageCase(name, one, tuple(settings.items()))
            for name, one in found
            for settings in ({}, *VARIANTS.get(name, ()))
        ]
    classes = [stage_class(one) if isinstance(one, str) else one for one in stages]
    return [StageCase(one.__name__.lower(), one) for one in classes]


def cases(*stages: type[Any] | str) -> list[tuple[StageCase, str]]:
    """Every subject with the name of every check it must pass."""
    exempt = {(one.stage, one.check) for one in EXEMPT}
    return [
        (subject, check)
        for subject in subjects(*stages)
        for check in CHECKS
        if (subject.name, check) not in exempt
    ]


def run(subject: StageCase, check: str) -> None:
    """Run one check, warnings being errors; AssertionError says what is wrong."""
    if check not in CHECKS:
        raise InputError(f"no check {check!r}", hint=f"there are {', '.join(sorted(CHECKS))}")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        CHECKS[check](subject)

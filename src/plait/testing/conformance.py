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
from plait.pipeline.registry import load_all_stages, stage_class
from plait.testing import check_answers, check_change, check_shape, check_steps
from plait.testing.stage_case import StageCase

__all__ = ["CHECKS", "EXEMPT", "Exemption", "cases", "run", "subjects"]

Check = Callable[[StageCase], None]

CHECKS: Mapping[str, Check] = {
    name: getattr(module, name)
    for module in (check_shape, check_answers, check_change, check_steps)
    for name in module.__all__
    if name != "renumbered"
}
"""All checks by name; each raises AssertionError and says what a stage got wrong."""


class Exemption(NamedTuple):
    """A check that a stage need not pass, and why."""

    stage: str
    check: str
    reason: str


EXEMPT: tuple[Exemption, ...] = ()
"""All exemptions there are."""


def subjects(*stages: type[Any] | str) -> list[StageCase]:
    """The stages to check, each under its defaults and its `test_variants`.

    Args:
        stages: Classes, or their names as a recipe has them ("popular", "package.module:Class");
            none: every registered stage.

    Returns:
        One case for each stage and variant.
    """
    classes = load_all_stages() if not stages else {}
    for stage in stages:
        stage_type = stage_class(stage) if isinstance(stage, str) else stage
        classes[stage_type.__name__.lower()] = stage_type
    return [
        StageCase(name, stage_type, settings)
        for name, stage_type in classes.items()
        for settings in ({}, *stage_type.test_variants)
    ]


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

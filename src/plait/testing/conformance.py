"""The checks that every stage passes.

For a stage of your own::

    import pytest
    from plait.testing import conformance


    @pytest.mark.parametrize(("case", "check"), conformance.cases("mypackage.mymodel:MyModel"))
    def test_my_model_conforms(case, check):
        conformance.run(case, check)
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from plait.errors import InputError
from plait.pipeline.registry import load_all_stages, stage_class
from plait.pipeline.stage import Stage
from plait.testing import (
    check_answers,
    check_lifecycle,
    check_renumbering,
    check_rerankers,
    check_updates,
)
from plait.testing.stage_case import StageCase

__all__ = ["CHECKS", "EXEMPT", "Exemption", "cases", "run", "stage_cases"]

Check = Callable[[StageCase], None]

CHECKS: Mapping[str, Check] = {
    name: getattr(module, name)
    for module in (
        check_lifecycle,
        check_answers,
        check_renumbering,
        check_updates,
        check_rerankers,
    )
    for name in module.__all__
    if name.startswith("check_")
}
"""All checks by name; each raises AssertionError with what is wrong."""


class Exemption(NamedTuple):
    """A check that a stage does not pass, and why.

    Attributes:
        stage: The name of the stage.
        check: The name of the check.
        reason: Why the stage cannot pass it.
    """

    stage: str
    check: str
    reason: str


EXEMPT: tuple[Exemption, ...] = ()
"""All exemptions."""


def stage_cases(*stages: type[Any] | str) -> list[StageCase]:
    """The stages to check, each under its defaults and its `test_variants`.

    Args:
        stages: Classes, or their names as a recipe has them ("popular", "package.module:Class");
            none: every registered stage.

    Returns:
        One case for each stage and variant.

    Raises:
        InputError: If a class is no stage, or a setting of a stage has no default.
    """
    classes = load_all_stages() if not stages else {}
    for stage in stages:
        cls: Any = stage_class(stage) if isinstance(stage, str) else stage
        if not isinstance(cls, type) or not issubclass(cls, Stage):
            message = f"{cls!r} is no stage, expected a subclass of plait.pipeline.stage.Stage"
            raise InputError(message, hint="pass the class, or its name", field="stages")
        classes[cls.__name__.lower()] = cls
    for cls in classes.values():
        _check_defaults(cls)
    return [
        StageCase(name, cls, settings)
        for name, cls in classes.items()
        for settings in ({}, *cls.test_variants)
    ]


def _check_defaults(cls: type[Any]) -> None:
    """Raise InputError if the config cannot be made without arguments."""
    config = cls.Config
    required = [
        entry.name
        for entry in (dataclasses.fields(config) if dataclasses.is_dataclass(config) else ())
        if entry.init
        and entry.default is dataclasses.MISSING
        and entry.default_factory is dataclasses.MISSING
    ]
    if required:
        message = f"{config.__name__} of {cls.__name__} has no default for {', '.join(required)}"
        hint = "every setting needs a default, so that a recipe may leave it out"
        raise InputError(message, hint=hint, field=required[0])


def cases(*stages: type[Any] | str) -> list[tuple[StageCase, str]]:
    """All pairs of a stage and the name of a check that it must pass.

    Args:
        stages: As for `stage_cases`.
    """
    exempt = {(exemption.stage, exemption.check) for exemption in EXEMPT}
    return [
        (case, check)
        for case in stage_cases(*stages)
        for check in CHECKS
        if (case.name, check) not in exempt
    ]


def run(case: StageCase, check: str) -> None:
    """Run one check; warnings are errors.

    Args:
        case: The stage to check.
        check: The name of the check.

    Raises:
        AssertionError: The stage does not pass; the message says why.
        InputError: No check has this name.
    """
    if check not in CHECKS:
        raise InputError(
            f"no check {check!r}", hint=f"there are {', '.join(sorted(CHECKS))}", field="check"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        CHECKS[check](case)

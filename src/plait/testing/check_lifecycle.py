"""Checks of a stage as an object: constructor, config, fit, and saved files."""

from __future__ import annotations

import dataclasses
import inspect
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from plait.data.types import QueryBatch
from plait.pipeline.recipe import build_stage
from plait.pipeline.stage import Fittable, Reranker, Retriever, Scorer, Stage
from plait.testing.queries import probe_numbers, probes
from plait.testing.stage_case import Answers, StageCase, able, arrays_in, dataset_of

__all__ = [
    "check_config_is_value",
    "check_constructor_only_stores",
    "check_fit_idempotent",
    "check_fit_returns_new_stage",
    "check_has_ability",
    "check_loaded_arrays_mapped",
    "check_save_load_round_trip",
    "check_settings_from_recipe",
]

_PICKLED = (".pkl", ".pickle", ".joblib", ".pt", ".pth", ".npz")
_STARTS = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
"""The first bytes of pickles."""

_TOLERANCE = 1e-6
"""Mapped arrays are aligned otherwise, so that sums may be taken in another order."""

_MAPPED_FROM = 1024
"""Bytes; smaller arrays may be read instead of mapped."""


def check_has_ability(case: StageCase) -> None:
    """A stage is a model, which scores, or a step, which applies; what retrieves also scores.

    Args:
        case: The stage to check.
    """
    stage = case.stage()
    assert able(stage, Scorer) or able(stage, Reranker), f"{case} can neither score nor apply"
    if able(stage, Retriever):
        assert able(stage, Scorer), f"{case} retrieves what it cannot score"


def check_constructor_only_stores(case: StageCase) -> None:
    """The constructor stores the config and the name, and takes nothing else.

    Args:
        case: The stage to check.
    """
    config = case.stage().config
    stage = case.stage_class(config, name="another")
    assert stage.config is config, f"{case} does not keep its config"
    assert stage.name == "another", f"{case} does not keep its name"
    plain = case.stage_class()
    assert plain.config == case.stage_class.Config(), f"{case} changes its default config"
    names = list(inspect.signature(case.stage_class).parameters)
    assert names == ["config", "name"], f"{case} is constructed from {names}"


def check_config_is_value(case: StageCase) -> None:
    """The config is a frozen dataclass with defaults that JSON represents without loss.

    Args:
        case: The stage to check.
    """
    config_class: Any = case.stage_class.Config
    assert dataclasses.is_dataclass(config_class), f"the config of {case} is no dataclass"
    config: Any = case.stage().config
    for field in dataclasses.fields(config):
        has_default = field.default is not field.default_factory  # otherwise both are MISSING
        assert has_default, f"{case}: {field.name} has no default"
        _require_frozen(config, field.name, case)
    adapter: TypeAdapter[Any] = TypeAdapter(config_class)
    again = adapter.validate_json(adapter.dump_json(config))
    assert again == config, f"{case}: JSON makes {again} of {config}"


def check_settings_from_recipe(case: StageCase) -> None:
    """A recipe that gives every setting builds the same stage.

    Args:
        case: The stage to check.
    """
    config = case.stage().config
    path = f"{case.stage_class.__module__}:{case.stage_class.__qualname__}"
    table = json.loads(json.dumps(dataclasses.asdict(config)))
    built = build_stage("mine", {**table, "stage": path})
    assert built.config == config, f"{case}: a recipe makes {built.config} of {config}"
    assert built.name == "mine"


def check_fit_returns_new_stage(case: StageCase) -> None:
    """`fit` returns another object of the same class; the old one answers as before.

    Args:
        case: The stage to check.
    """
    if not able(case.stage(), Fittable):
        return
    old = case.stage()
    queries, numbers = _queries("market")
    before = Answers.of(old, queries, numbers)
    new = old.fit(dataset_of("market"))
    assert new is not old, f"{case}.fit returns itself"
    assert type(new) is type(old), f"{case}.fit returns a {type(new).__name__}"
    assert (new.name, new.config) == (old.name, old.config)
    assert Answers.of(old, queries, numbers).same(before), f"{case}.fit changes the old stage"


def check_fit_idempotent(case: StageCase) -> None:
    """The same data, config and seed give the same answers, fitted before or not.

    Args:
        case: The stage to check.
    """
    first = case.fitted("market")
    if not able(first, Fittable):
        return
    queries, numbers = _queries("market")
    expected = Answers.of(first, queries, numbers)
    for stage in (case.stage(), first, case.fitted("clock")):
        again = Answers.of(stage.fit(dataset_of("market"), seed=0), queries, numbers)
        assert again.same(expected), f"{case}: fitting again gives other answers"


def check_save_load_round_trip(case: StageCase) -> None:
    """After `save` and `load` a stage gives the same answers; nothing is pickled.

    Args:
        case: The stage to check.
    """
    for world in ("market", "chinese", "one_item", "empty"):
        stage = case.fitted(world)
        queries, numbers = _queries(world)
        with tempfile.TemporaryDirectory() as folder:
            loaded = _saved_and_loaded(stage, Path(folder))
            assert type(loaded) is type(stage)
            assert (loaded.name, loaded.config) == (stage.name, stage.config)
            expected = Answers.of(stage, queries, numbers)
            actual = Answers.of(loaded, queries, numbers)
            assert actual.same(expected, _TOLERANCE), f"{case} differs after load ({world})"


def check_loaded_arrays_mapped(case: StageCase) -> None:
    """Loaded arrays lie in mapped files, which processes share.

    Args:
        case: The stage to check.
    """
    with tempfile.TemporaryDirectory() as folder:
        loaded = _saved_and_loaded(case.fitted("market"), Path(folder))
        for array in arrays_in(loaded):
            if array.nbytes >= _MAPPED_FROM and array.dtype != object:
                assert _is_mapped(array), f"{case} reads an array {array.shape} into memory"


def _queries(world: str) -> tuple[QueryBatch, Any]:
    queries = probes(dataset_of(world), seed=1)
    return queries, probe_numbers(dataset_of(world), len(queries))


def _require_frozen(config: Any, field: str, case: StageCase) -> None:
    try:
        setattr(config, field, getattr(config, field))
    except dataclasses.FrozenInstanceError:
        return
    raise AssertionError(f"the config of {case} is not frozen")


def _saved_and_loaded(stage: Stage, folder: Path) -> Stage:
    """`stage`, saved and loaded; fails where a file looks pickled."""
    stage.save(folder)
    for path in folder.rglob("*"):
        if path.is_file():
            start = b"" if path.suffix == ".safetensors" else path.read_bytes()[:2]
            pickled = path.suffix in _PICKLED or start in _STARTS
            assert not pickled, f"{stage.name} pickles {path.name}"
    return type(stage).load(stage.config, stage.name, folder)


def _is_mapped(array: np.ndarray) -> bool:
    holder: Any = array
    while holder is not None:
        if isinstance(holder, np.memmap):
            return True
        holder = holder.obj if isinstance(holder, memoryview) else getattr(holder, "base", None)
    return False

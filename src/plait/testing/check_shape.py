"""Checks of a stage as an object: constructor, config, fit, and what it leaves on disk."""

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
from plait.testing.stage_case import (
    Answers,
    StageCase,
    able,
    arrays_in,
    dataset_of,
    probe_numbers,
    probes,
)

__all__ = [
    "arrays_are_mapped",
    "config_is_a_value",
    "constructor_only_stores",
    "fit_leaves_the_old_stage",
    "fit_twice_equals_once",
    "has_an_ability",
    "load_gives_back_what_save_wrote",
    "settings_come_from_recipes",
]

_PICKLED = (".pkl", ".pickle", ".joblib", ".pt", ".pth", ".npz")
_STARTS = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
"""How pickles begin."""

_NOISE = 1e-6
"""Mapped arrays lie otherwise in memory, so that sums may be taken in another order."""

_MAPPED_FROM = 1024
"""Bytes; smaller arrays may be read instead of mapped."""


def has_an_ability(subject: StageCase) -> None:
    """A stage scores (a strand) or applies (a step); what retrieves also scores."""
    stage = subject.stage()
    assert able(stage, Scorer) or able(stage, Reranker), f"{subject} can neither score nor apply"
    if able(stage, Retriever):
        assert able(stage, Scorer), f"{subject} retrieves what it cannot score"


def constructor_only_stores(subject: StageCase) -> None:
    """The constructor keeps config and name, and takes nothing else."""
    config = subject.stage().config
    stage = subject.stage_class(config, name="another")
    assert stage.config is config, f"{subject} does not keep its config"
    assert stage.name == "another", f"{subject} does not keep its name"
    plain = subject.stage_class()
    assert plain.config == subject.stage_class.Config(), f"{subject} changes its default config"
    names = list(inspect.signature(subject.stage_class).parameters)
    assert names == ["config", "name"], f"{subject} is constructed from {names}"


def config_is_a_value(subject: StageCase) -> None:
    """A frozen dataclass, every field with a default, the same after a trip through JSON."""
    kind: Any = subject.stage_class.Config
    assert dataclasses.is_dataclass(kind), f"the config of {subject} is no dataclass"
    config: Any = subject.stage().config
    for one in dataclasses.fields(config):
        given = one.default is not one.default_factory  # both MISSING: there is none
        assert given, f"{subject}: {one.name} has no default"
        _frozen(config, one.name, subject)
    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    again = adapter.validate_json(adapter.dump_json(config))
    assert again == config, f"{subject}: JSON makes {again} of {config}"


def settings_come_from_recipes(subject: StageCase) -> None:
    """A recipe's table, with every setting written out, builds the same stage."""
    config = subject.stage().config
    path = f"{subject.stage_class.__module__}:{subject.stage_class.__qualname__}"
    table = json.loads(json.dumps(dataclasses.asdict(config)))
    built = build_stage("mine", {**table, "stage": path})
    assert built.config == config, f"{subject}: a recipe makes {built.config} of {config}"
    assert built.name == "mine"


def fit_leaves_the_old_stage(subject: StageCase) -> None:
    """`fit` returns another object of the same class; the old one answers as before."""
    if not able(subject.stage(), Fittable):
        return
    old = subject.stage()
    queries, numbers = _asked("market")
    before = Answers.of(old, queries, numbers)
    new = old.fit(dataset_of("market"))
    assert new is not old, f"{subject}.fit returns itself"
    assert type(new) is type(old), f"{subject}.fit returns a {type(new).__name__}"
    assert (new.name, new.config) == (old.name, old.config)
    assert Answers.of(old, queries, numbers).same(before), f"{subject}.fit changes the old stage"


def fit_twice_equals_once(subject: StageCase) -> None:
    """The same data, config and seed give the same answers, fitted before or not."""
    first = subject.fitted("market")
    if not able(first, Fittable):
        return
    queries, numbers = _asked("market")
    expected = Answers.of(first, queries, numbers)
    for stage in (subject.stage(), first, subject.fitted("clock")):
        again = Answers.of(stage.fit(dataset_of("market"), seed=0), queries, numbers)
        assert again.same(expected), f"{subject}: fitting again gives other answers"


def load_gives_back_what_save_wrote(subject: StageCase) -> None:
    """After `save` and `load` a stage answers the same, on every world; nothing is pickled."""
    for world in ("market", "chinese", "one_item", "empty"):
        stage = subject.fitted(world)
        queries, numbers = _asked(world)
        with tempfile.TemporaryDirectory() as folder:
            loaded = _moved(stage, Path(folder))
            assert type(loaded) is type(stage)
            assert (loaded.name, loaded.config) == (stage.name, stage.config)
            expected = Answers.of(stage, queries, numbers)
            found = Answers.of(loaded, queries, numbers)
            told = f"{subject} answers otherwise after load ({world})"
            assert found.same(expected, _NOISE), told


def arrays_are_mapped(subject: StageCase) -> None:
    """What `load` holds lies in files that processes share, not in memory of its own."""
    with tempfile.TemporaryDirectory() as folder:
        loaded = _moved(subject.fitted("market"), Path(folder))
        for array in arrays_in(loaded):
            if array.nbytes >= _MAPPED_FROM and array.dtype != object:
                assert _mapped(array), f"{subject} reads an array {array.shape} into memory"


def _asked(world: str) -> tuple[QueryBatch, Any]:
    queries = probes(dataset_of(world), seed=1)
    return queries, probe_numbers(dataset_of(world), len(queries))


def _frozen(config: Any, field: str, subject: StageCase) -> None:
    try:
        setattr(config, field, getattr(config, field))
    except dataclasses.FrozenInstanceError:
        return
    raise AssertionError(f"the config of {subject} is not frozen")


def _moved(stage: Stage, folder: Path) -> Stage:
    """`stage`, saved and loaded; fails where a file looks pickled."""
    stage.save(folder)
    for path in folder.rglob("*"):
        if path.is_file():
            start = b"" if path.suffix == ".safetensors" else path.read_bytes()[:2]
            pickled = path.suffix in _PICKLED or start in _STARTS
            assert not pickled, f"{stage.name} pickles {path.name}"
    return type(stage).load(stage.config, stage.name, folder)


def _mapped(array: np.ndarray) -> bool:
    holder: Any = array
    while holder is not None:
        if isinstance(holder, np.memmap):
            return True
        holder = holder.obj if isinstance(holder, memoryview) else getattr(holder, "base", None)
    return False

"""The conformance checks find faults: each stage here has one."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from plait.data.types import CandidateLists
from plait.errors import InputError
from plait.models.popularity.popular import Popular
from plait.models.tifu_knn import Repeat
from plait.pipeline.full_catalogue_scorer import DenseScorer
from plait.pipeline.registry import load_all_stages
from plait.pipeline.stage import Stage
from plait.testing import conformance


@dataclass
class Loose:
    size: int = 1


class LooseConfig(Repeat):
    Config = Loose


@dataclass(frozen=True)
class Needy:
    sizes: tuple[int, ...] = field(default_factory=tuple)
    size: Any = complex(1)


class UnsaidConfig(Repeat):
    Config = Needy


class FitsItself(Popular):
    def fit(self, dataset, *, seed=0):
        self._shares = super().fit(dataset, seed=seed)._shares
        return self


class Forgetful(Popular):
    def fit(self, dataset, *, seed=0):
        fitted = super().fit(dataset, seed=seed)
        fitted._shares = fitted._shares * np.float32(np.random.default_rng().random())
        return fitted


class Loses(Popular):
    @classmethod
    def load(cls, config, name, folder):
        return cls(config, name=name)


class Wide(Popular):
    def score(self, queries, numbers):
        return super().score(queries, numbers).astype(np.float64)


class Eager(Popular):
    def score(self, queries, numbers):
        return np.nan_to_num(super().score(queries, numbers))


class Crowd(Popular):
    def score(self, queries, numbers):
        return super().score(queries, numbers) * np.float32(len(queries))


class Deaf(Popular):
    def retrieve(self, queries, k):
        best = np.arange(min(k, self._shares.shape[1]), dtype=np.int32)
        return CandidateLists(np.tile(best, (len(queries), 1)))


class Twice(Popular):
    def retrieve(self, queries, k):
        candidates = super().retrieve(queries, k).item_numbers
        return CandidateLists(np.repeat(candidates, 2, axis=1)[:, :k])


class Numbered(DenseScorer):
    def fit(self, dataset, *, seed=0):
        fitted = self.clone()
        fitted.width = dataset.n_items
        return fitted

    def score_all(self, queries):
        return np.tile(np.arange(getattr(self, "width", 0), dtype=np.float32), (len(queries), 1))


class Scribbles(Popular):
    def score(self, queries, numbers):
        scores = super().score(queries, numbers)
        numbers[:] = -1
        return scores


class Accuses(Repeat):
    def explain(self, queries, numbers):
        return np.where(numbers >= 0, 1, -1).astype(np.int32)


class Frail(Popular):
    def retrieve(self, queries, k):
        assert queries.history.lengths.all(), "a user without a history"
        return super().retrieve(queries, k)


class Idle(Stage):
    pass


class Drops(Stage):
    writes = ("gone",)

    def apply(self, queries, items):
        return CandidateLists(items.item_numbers)


class Guesses(Popular):
    def score(self, queries, numbers):
        scores = super().score(queries, numbers)
        is_unknown = (queries.history.lengths == 0)[:, None] & (numbers >= 0)
        return np.where(is_unknown, np.float32(0.5), scores)


class Zeroes(Popular):
    def score(self, queries, numbers):
        scores = super().score(queries, numbers)
        return np.where(numbers >= 0, np.nan_to_num(scores), scores)


class WritesMore(Stage):
    writes = ("noted",)

    def apply(self, queries, items):
        column = np.zeros(items.shape, np.float32)
        return items.with_columns(noted=column, unsaid=column)


class ReadsMore(Stage):
    reads = ("order",)
    writes = ("noted",)

    def apply(self, queries, items):
        return items.with_columns(noted=items.column("score") + items.column("order"))


@dataclass(frozen=True)
class Demanding:
    size: int


class NeedsSize(Popular):
    Config = Demanding


@pytest.mark.parametrize(
    ("stage", "check"),
    [
        (LooseConfig, "check_config_is_value"),
        (UnsaidConfig, "check_settings_from_recipe"),
        (FitsItself, "check_fit_returns_new_stage"),
        (Forgetful, "check_fit_idempotent"),
        (Loses, "check_save_load_round_trip"),
        (Wide, "check_score_format"),
        (Eager, "check_score_format"),
        (Crowd, "check_batch_equals_single"),
        (Deaf, "check_respects_filters"),
        (Twice, "check_retrieves_best_first"),
        (Numbered, "check_invariant_to_renumbering"),
        (Scribbles, "check_inputs_unchanged"),
        (Accuses, "check_explains_by_own_items"),
        (Frail, "check_handles_edge_cases"),
        (Idle, "check_has_ability"),
        (Drops, "check_step_only_adds_columns"),
        (Guesses, "check_unknown_is_no_constant"),
        (Zeroes, "check_unknown_is_no_constant"),
        (WritesMore, "check_step_declares_columns"),
        (ReadsMore, "check_step_declares_columns"),
    ],
)
def test_broken_stage_fails_the_check_of_its_fault(stage, check):
    case, *_ = conformance.stage_cases(stage)
    with pytest.raises((AssertionError, TypeError)):
        conformance.run(case, check)


def test_a_config_without_defaults_is_refused_once_and_names_the_setting():
    with pytest.raises(InputError) as problem:
        conformance.cases(Popular, NeedsSize)
    assert problem.value.field == "size"
    assert "NeedsSize" in str(problem.value)


@pytest.mark.parametrize("stage", [int, 5])
def test_what_is_no_stage_is_refused(stage):
    with pytest.raises(InputError) as problem:
        conformance.cases(stage)
    assert problem.value.field == "stages"


def test_cases_have_the_name_of_their_stage_in_pytest():
    case, *_ = conformance.stage_cases(Popular)
    assert case.__name__ == str(case) == "popular"


def test_unknown_check_is_refused():
    case, *_ = conformance.stage_cases(Popular)
    with pytest.raises(InputError) as failure:
        conformance.run(case, "all")
    assert failure.value.field == "check"


def test_exemptions_have_a_reason_and_name_existing_stages_and_checks():
    names = {case.name for case in conformance.stage_cases()}
    for exemption in conformance.EXEMPT:
        assert exemption.reason
        assert exemption.stage in names
        assert exemption.check in conformance.CHECKS


def test_cases_cover_every_registered_stage_and_variant():
    cases = conformance.cases()
    assert {case.name for case, _ in cases} == set(load_all_stages())
    n_variants = sum(1 + len(stage.test_variants) for stage in load_all_stages().values())
    assert len(cases) == n_variants * len(conformance.CHECKS) - len(conformance.EXEMPT)

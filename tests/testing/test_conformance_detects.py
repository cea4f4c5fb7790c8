"""The conformance suite finds what is wrong: each stage here breaks one promise."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from plait.data.types import CandidateLists
from plait.errors import InputError
from plait.models.popularity.popular import Popular
from plait.models.repeat import Repeat
from plait.pipeline.dense import DenseScorer
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
        self._tables = super().fit(dataset, seed=seed)._tables
        return self


class Forgetful(Popular):
    def fit(self, dataset, *, seed=0):
        fitted = super().fit(dataset, seed=seed)
        fitted._tables = fitted._tables * np.float32(np.random.default_rng().random())
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
        best = np.arange(min(k, self._tables.shape[1]), dtype=np.int32)
        return CandidateLists(np.tile(best, (len(queries), 1)))


class Twice(Popular):
    def retrieve(self, queries, k):
        found = super().retrieve(queries, k).item_numbers
        return CandidateLists(np.repeat(found, 2, axis=1)[:, :k])


class Numbered(DenseScorer):
    def fit(self, dataset, *, seed=0):
        fitted = type(self)(self.config, name=self.name)
        fitted.width = dataset.n_items
        return fitted

    def score_all(self, queries):
        return np.tile(np.arange(getattr(self, "width", 0), dtype=np.float32), (len(queries), 1))


class Scribbles(Popular):
    def score(self, queries, numbers):
        found = super().score(queries, numbers)
        numbers[:] = -1
        return found


class Accuses(Repeat):
    def explain(self, queries, numbers):
        return np.where(numbers >= 0, 1, -1).astype(np.int32)


class Frail(Popular):
    def retrieve(self, queries, k):
        assert queries.history.lengths.all(), "who are you?"
        return super().retrieve(queries, k)


class Idle(Stage):
    pass


class Drops(Stage):
    writes = ("gone",)

    def apply(self, queries, items):
        return CandidateLists(items.item_numbers)


@pytest.mark.parametrize(
    ("stage", "check"),
    [
        (LooseConfig, "config_is_a_value"),
        (UnsaidConfig, "settings_come_from_recipes"),
        (FitsItself, "fit_leaves_the_old_stage"),
        (Forgetful, "fit_twice_equals_once"),
        (Loses, "load_gives_back_what_save_wrote"),
        (Wide, "scores_have_their_form"),
        (Eager, "scores_have_their_form"),
        (Crowd, "batch_equals_single"),
        (Deaf, "limits_are_kept"),
        (Twice, "brings_what_it_scores_best_first"),
        (Numbered, "numbers_mean_nothing"),
        (Scribbles, "inputs_stay_as_they_are"),
        (Accuses, "because_names_what_the_user_has"),
        (Frail, "nothing_raises"),
        (Idle, "has_an_ability"),
        (Drops, "columns_are_added_and_rows_stay"),
    ],
)
def test_a_broken_promise_is_seen(stage, check):
    subject, *_ = conformance.subjects(stage)
    with pytest.raises((AssertionError, TypeError)):
        conformance.run(subject, check)


def test_an_unknown_check_is_named():
    subject, *_ = conformance.subjects(Popular)
    with pytest.raises(InputError, match="no check 'all'"):
        conformance.run(subject, "all")


def test_all_exemptions_have_a_reason_and_name_what_exists():
    names = {one.name for one in conformance.subjects()}
    for one in conformance.EXEMPT:
        assert one.reason
        assert one.stage in names
        assert one.check in conformance.CHECKS


def test_every_registered_stage_is_looked_at():
    cases = conformance.cases()
    assert {subject.name for subject, _ in cases} >= {"content", "lexical", "linear", "neighbours"}
    assert len(cases) >= len(conformance.subjects()) * len(conformance.CHECKS) - len(
        conformance.EXEMPT
    )

"""Cornac: BPR, EASE and NeuMF (on torch) for lists; MF and the baseline for ratings.

Its iALS (WMF) asks for tensorflow 2.12, which no longer goes with its own numpy; implicit has that
model. Defaults of the package first, then `--trials` - 1 settings of the grid.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import scipy.sparse as sp
from cornac.data import Dataset
from cornac.models import BPR, EASE, MF, BaselineOnly, NeuMF
from harness import Floats, Fold, Ints, Kit, in_batches, started

RANKING: dict[str, tuple[type[Any], dict[str, Any], dict[str, list[Any]]]] = {
    "BPR": (
        BPR,
        {},
        {"k": [10, 50, 100], "learning_rate": [0.001, 0.01, 0.05], "max_iter": [100, 300]},
    ),
    "EASE": (EASE, {}, {"lamb": [50, 100, 250, 1000], "posB": [True, False]}),
    "NeuMF": (
        NeuMF,
        {"backend": "pytorch"},
        {"num_neg": [4, 10], "lr": [0.001, 0.003], "num_epochs": [20, 40]},
    ),
}

RATINGS: dict[str, tuple[type[Any], dict[str, list[Any]]]] = {
    "BaselineOnly": (
        BaselineOnly,
        {"learning_rate": [0.005, 0.01, 0.02], "lambda_reg": [0.02, 0.05], "max_iter": [20, 50]},
    ),
    "MF": (
        MF,
        {
            "k": [10, 40, 100],
            "learning_rate": [0.005, 0.01],
            "lambda_reg": [0.02, 0.06, 0.1],
            "max_iter": [20, 50, 100],
        },
    ),
}


def fitted(kit: Kit, kind: type[Any], settings: Mapping[str, Any], train: Dataset) -> Any:
    """A new model, fitted."""
    with kit.phase("train"):
        return kind(**settings, seed=kit.seed, verbose=False).fit(train)


def ranker(kit: Kit, model: Any, train: Dataset) -> Callable[[Fold], Ints]:
    """Lists from Cornac's `score` of a user; items that it does not know come last."""
    number = np.array(train.item_ids, np.int64)
    row = {user: position for position, user in enumerate(train.user_ids)}

    def ranked(fold: Fold) -> Ints:
        if kit.model == "EASE":  # weights between items answer for any history
            model.U = _matrix(fold, row, train.iid_map, (len(row), len(number)))
        return in_batches(fold, scores)

    def scores(fold: Fold) -> Floats:
        scores = np.full((len(fold), kit.world.n_items), -np.inf, np.float32)
        for position, user in enumerate(fold.users):
            if user in row:
                scores[position, number] = np.ravel(model.score(row[user]))
        return scores

    return ranked


def _matrix(
    fold: Fold, row: Mapping[int, int], column: Mapping[int, int], shape: tuple[int, int]
) -> sp.csr_matrix:
    users = [row.get(user, -1) for user in fold.users[fold.rows]]
    items = [column.get(item, -1) for item in fold.values]
    known = (np.array(users) >= 0) & (np.array(items) >= 0)
    cells = np.array(users)[known], np.array(items)[known]
    return sp.csr_matrix((np.ones(known.sum()), cells), shape=shape)


def rater(model: Any, train: Dataset) -> Callable[[Mapping[str, Any]], Floats]:
    """Ratings from Cornac's `rate`, clipped to the scale by it."""

    def rated(pairs: Mapping[str, Any]) -> Floats:
        users = [
            train.uid_map.get(external_id, len(train.uid_map)) for external_id in pairs["user"]
        ]
        items = [
            train.iid_map.get(external_id, len(train.iid_map)) for external_id in pairs["item"]
        ]
        both = zip(users, items, strict=True)
        return np.array([model.rate(user, item) for user, item in both], np.float32)

    return rated


def triples(arrays: Mapping[str, Any], selected: Any, rating: Any) -> Dataset:
    """A data set of Cornac."""
    columns = (
        arrays["user"][selected].tolist(),
        arrays["item"][selected].tolist(),
        rating[selected].tolist(),
    )
    return Dataset.from_uir(list(zip(*columns, strict=True)), seed=0)


def ranking(kit: Kit) -> None:
    """Fit, rank, look; once for each setting."""
    kit.patience = 0
    kind, published, grid = RANKING[kit.model]
    arrays = kit.world.train
    with kit.phase("prepare"):
        every = np.ones(len(arrays["user"]), np.bool_)
        train = triples(arrays, every, every.astype(np.float32))
    for number, settings in enumerate(kit.tried(published, grid), 1):
        model = fitted(kit, kind, settings, train)
        kit.look(number, ranker(kit, model, train))


def ratings(kit: Kit) -> None:
    """Settings by a tenth of the ratings, then a fit on all of them."""
    kind, grid = RATINGS[kit.model]
    arrays = kit.world.train
    with kit.phase("prepare"):
        train = triples(arrays, ~arrays["validation"], arrays["rating"])
        all_ratings = triples(arrays, slice(None), arrays["rating"])
    for settings in kit.tried({}, grid):
        kit.validate_ratings(rater(fitted(kit, kind, settings, train), train))
    kit.write_test_ratings(rater(fitted(kit, kind, kit.best_settings, all_ratings), all_ratings))


def main() -> None:
    kit = started((*RANKING, *RATINGS), ("cornac", "numpy", "scipy"))
    (ranking if kit.model in RANKING else ratings)(kit)
    kit.write()


if __name__ == "__main__":
    main()

"""implicit: iALS, BPR and logistic matrix factorisation, and item neighbours by BM25.

Defaults of the package first, then those of Plait's stage, then settings of the grid below, so many
as `--trials` says in all; chosen by NDCG@10 on validation. Users of the test are ranked by the
factors that were fitted on train; iALS computes them anew from the whole history
(`recalculate_user`), which is its own fold-in.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp
from harness import Fold, Ints, K, Kit, started
from implicit.als import AlternatingLeastSquares
from implicit.bpr import BayesianPersonalizedRanking
from implicit.lmf import LogisticMatrixFactorization
from implicit.nearest_neighbours import BM25Recommender

MODELS: dict[str, Callable[..., Any]] = {
    "BM25": BM25Recommender,
    "BPR": BayesianPersonalizedRanking,
    "LMF": LogisticMatrixFactorization,
    "iALS": AlternatingLeastSquares,
}

GRIDS: dict[str, dict[str, list[Any]]] = {
    "BM25": {"K": [20, 100, 500], "K1": [0.2, 1.2, 5.0], "B": [0.0, 0.2, 0.75]},
    "BPR": {
        "factors": [64, 128, 256],
        "learning_rate": [0.01, 0.03, 0.1],
        "regularization": [0.001, 0.01, 0.03],
        "iterations": [100, 300],
    },
    "LMF": {"factors": [30, 64, 128], "learning_rate": [0.3, 1.0], "regularization": [0.6, 2.0]},
    "iALS": {
        "factors": [64, 128, 256, 512],
        "regularization": [0.01, 0.1, 1.0, 10.0],
        "alpha": [1.0, 5.0, 20.0],
        "iterations": [15],
    },
}

OURS: dict[str, dict[str, Any]] = {
    "BPR": {"factors": 64, "learning_rate": 0.05, "regularization": 0.01, "iterations": 60},
    "iALS": {"factors": 256, "regularization": 10.0, "alpha": 20.0, "iterations": 12},
}
"""What `factors` sets in Plait."""


def interactions(users: Any, items: Any, shape: tuple[int, int]) -> sp.csr_matrix:
    """Ones where a user took an item, as implicit wants them."""
    matrix = sp.csr_matrix((np.ones(len(items), np.float32), (users, items)), shape=shape)
    matrix.data[:] = 1
    return matrix


def ranker(kit: Kit, model: Any) -> Callable[[Fold], Ints]:
    """Lists from implicit's own `recommend`, which leaves out the rows' items."""
    anew = kit.model in ("iALS", "BM25")

    def ranked(fold: Fold) -> Ints:
        seen = interactions(fold.rows, fold.values, (len(fold), kit.world.n_items))
        options = {"recalculate_user": True} if kit.model == "iALS" else {}
        # With histories of their own the users are rows of `seen`, and nobody's number.
        users = np.arange(len(fold)) if anew else fold.users
        ids, scores = model.recommend(
            users, seen, N=min(K, kit.world.n_items), filter_already_liked_items=True, **options
        )
        hidden = np.isneginf(scores) | (scores <= np.finfo(np.float32).min)
        return np.where(hidden, -1, ids).astype(np.int32)

    return ranked


def main() -> None:
    kit = started(tuple(MODELS), ("implicit", "numpy", "scipy"))
    world = kit.world
    with kit.phase("prepare"):
        train = world.train
        matrix = interactions(train["user"], train["item"], (world.n_users, world.n_items))
    kit.patience = 0
    seeded = {} if kit.model == "BM25" else {"random_state": kit.seed}
    tried = kit.tried({}, GRIDS[kit.model], OURS.get(kit.model))
    for number, settings in enumerate(tried, 1):
        with kit.phase("train"):
            model = MODELS[kit.model](**settings, **seeded)
            model.fit(matrix, show_progress=False)
        kit.look(number, ranker(kit, model))
    kit.write()


if __name__ == "__main__":
    main()

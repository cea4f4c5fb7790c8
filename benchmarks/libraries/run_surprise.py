"""Surprise: rating prediction by SVD, SVD++, neighbours with baselines, and the baseline alone.

Defaults of the package first, then `--trials` - 1 settings of the grid, chosen by RMSE on a tenth
of the ratings; the best is fitted again on all of them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from harness import Floats, started
from surprise import SVD, BaselineOnly, Dataset, KNNBaseline, Reader, SVDpp

FACTORS = {
    "n_factors": [20, 50, 100, 200],
    "n_epochs": [20, 40, 80],
    "lr_all": [0.002, 0.005, 0.01],
    "reg_all": [0.02, 0.05, 0.1],
}

MODELS: dict[str, tuple[type[Any], dict[str, Any], dict[str, list[Any]]]] = {
    "BaselineOnly": (BaselineOnly, {}, {}),
    "KNNBaseline": (
        KNNBaseline,
        {"sim_options": {"name": "pearson_baseline", "user_based": False}},
        {"k": [20, 40, 80], "min_k": [1, 3, 5]},
    ),
    "SVD": (SVD, {}, FACTORS),
    "SVDpp": (SVDpp, {}, {**FACTORS, "n_factors": [20], "n_epochs": [20, 40]}),
}

SEEDED = ("SVD", "SVDpp")


def trainset(arrays: Mapping[str, Any], selected: Any) -> Any:
    """Surprise's training set; it reads files."""
    rows = zip(
        arrays["user"][selected], arrays["item"][selected], arrays["rating"][selected], strict=True
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ratings"
        path.write_text("".join(f"{user} {item} {rating}\n" for user, item, rating in rows))
        reader = Reader(line_format="user item rating", sep=" ", rating_scale=(1, 5))
        return Dataset.load_from_file(str(path), reader).build_full_trainset()


def rater(model: Any) -> Callable[[Mapping[str, Any]], Floats]:
    """Ratings from Surprise's `predict`, clipped to the scale by it."""

    def rated(pairs: Mapping[str, Any]) -> Floats:
        both = zip(pairs["user"], pairs["item"], strict=True)
        ratings = [model.predict(str(user), str(item)).est for user, item in both]
        return np.array(ratings, np.float32)

    return rated


def main() -> None:
    kit = started(tuple(MODELS), ("scikit-surprise", "numpy"))
    kind, published, grid = MODELS[kit.model]
    arrays = kit.world.train
    seeded = {"random_state": kit.seed} if kit.model in SEEDED else {}
    with kit.phase("prepare"):
        train, all_ratings = trainset(arrays, ~arrays["validation"]), trainset(arrays, slice(None))

    def fitted(settings: Mapping[str, Any], ratings: Any) -> Any:
        with kit.phase("train"):
            return kind(**settings, **seeded, verbose=False).fit(ratings)

    for settings in kit.tried(published, grid):
        kit.validate_ratings(rater(fitted(settings, train)))
    kit.write_test_ratings(rater(fitted(kit.best_settings, all_ratings)))
    kit.write()


if __name__ == "__main__":
    main()

"""Compares single models with closed forms and other libraries on the same splits.

    python benchmarks/libraries/parity.py --data ML-100K --work FOLDER [--references numpy implicit]

FOLDER of --data holds MovieLens' `ratings.csv` or `u.data`. For a random split (a fifth of every
user) and a timed one (the last fifth of all ratings, of users with earlier ones) a table shows
NDCG@10, or RMSE for ratings, of Plait and of the reference with the same settings: numpy, implicit,
LensKit, Surprise. The environments of LensKit and Surprise are made below --work at first use; what
cannot be installed is left out, and the table says so.
"""

from __future__ import annotations

import argparse
import subprocess
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from environment import HERE, InstallError, python_of

import plait
from plait import models

SPLITS = ("random", "timed")
L2, NEIGHBOURS = 200.0, 100
REFERENCES = ("numpy", "implicit", "lenskit", "surprise")


def ratings(folder: Path) -> plait.Dataset:
    """The ratings of MovieLens, without users and items of fewer than five."""
    if (folder / "ratings.csv").exists():
        frame = pl.read_csv(folder / "ratings.csv")
        frame = frame.rename({"userId": "user", "movieId": "item", "timestamp": "time"})
    else:
        frame = pl.read_csv(folder / "u.data", separator="\t", has_header=False)
        frame.columns = ["user", "item", "rating", "time"]
    return plait.Dataset.of(frame).kcore(5)


def dense(data: plait.Dataset) -> Any:
    """Ones where a user rated an item, float64 [n_users, n_items]."""
    matrix = np.zeros((data.n_users, data.n_items))
    matrix[data.interactions.users, data.interactions.items] = 1
    return matrix


def lists_of(scores: Any, train: plait.Dataset, k: int = 20) -> pl.DataFrame:
    """The k best items of every user without those of the training data."""
    scores = np.where(dense(train) > 0, -np.inf, scores)
    best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    users, items = np.array(train.users.ids), np.array(train.catalogue.ids)
    return pl.DataFrame(
        {
            "user": np.repeat(users, k),
            "item": items[best].ravel(),
            "score": np.take_along_axis(scores, best, 1).ravel(),
        }
    ).filter(pl.col("score").is_finite())


def ease(train: plait.Dataset) -> Any:
    """The closed form (Steck, 2019)."""
    matrix = dense(train)
    inverse = np.linalg.inv(matrix.T @ matrix + L2 * np.eye(train.n_items))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return matrix @ weights


def item_knn(train: plait.Dataset) -> Any:
    """Sums of the cosines of the nearest neighbours of each item."""
    matrix = dense(train)
    norms = np.linalg.norm(matrix, axis=0)
    cosine = matrix.T @ matrix / np.maximum(np.outer(norms, norms), 1e-12)
    np.fill_diagonal(cosine, 0)
    smallest = np.sort(cosine, axis=1)[:, -NEIGHBOURS][:, None]
    return matrix @ np.where(cosine >= np.maximum(smallest, 1e-12), cosine, 0)


def implicit_als(train: plait.Dataset, seed: int) -> tuple[Any, Any]:
    """The library with its defaults: users as it fitted them, and solved once more.

    The fitted users belong to the item vectors of half a round before.
    """
    from implicit.cpu.als import AlternatingLeastSquares
    from scipy import sparse

    model = AlternatingLeastSquares(random_state=seed)
    matrix = dense(train)
    users, items = (np.flatnonzero(matrix.any(axis=axis)) for axis in (1, 0))
    known = sparse.csr_matrix(matrix[np.ix_(users, items)], dtype=np.float32)
    model.fit(known, show_progress=False)
    solved = model.recalculate_user(np.arange(len(users)), known)
    tables = []
    for vectors in (model.user_factors, solved):
        scores = np.full(matrix.shape, -np.inf)
        scores[np.ix_(users, items)] = vectors @ model.item_factors.T
        tables.append(scores)
    return tables[0], tables[1]


def peer(
    library: str, work: Path, train: plait.Dataset, test: plait.Dataset
) -> dict[str, pl.DataFrame] | str:
    """Lists and ratings of a library by model, or why there are none."""
    world, out = work / "parity.npz", work / f"parity-{library}.npz"
    parts = {"train": train.interactions, "test": test.interactions}
    arrays = {
        f"{part}_{name}": getattr(events, name)
        for part, events in parts.items()
        for name in ("users", "items", "values")
    }
    np.savez(world, n_users=train.n_users, n_items=train.n_items, **arrays)
    try:
        python = python_of(library, work)
    except InstallError as problem:
        return str(problem).strip().splitlines()[-1][:100]
    command = [str(python), "-W", "ignore", str(HERE / "parity_peer.py"), library]
    done = subprocess.run(
        [*command, str(world), str(out)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        return done.stderr.strip().splitlines()[-1][:100]
    users, items = np.array(train.users.ids), np.array(train.catalogue.ids)
    with np.load(out) as result:
        return {
            name: pl.DataFrame(
                {
                    "user": users[table[:, 0].astype(int)],
                    "item": items[table[:, 1].astype(int)],
                    "score": table[:, 2],
                }
            )
            for name, table in result.items()
        }


def ndcg(lists: pl.DataFrame, train: plait.Dataset, test: plait.Dataset) -> float:
    """NDCG@10 over the users of the test."""
    table = plait.score({"lists": lists}, test, k=10, metrics="ndcg", seen=train, resamples=10)
    return float(table.to_frame()["value"][0])


def rmse(predicted: pl.DataFrame, test: plait.Dataset) -> float:
    """The root of the mean squared error over the predicted ratings of the test."""
    both = test.to_frame().join(predicted, on=["user", "item"], how="inner")
    return float(((both["value"] - both["score"]) ** 2).mean() ** 0.5)


Row = tuple[str, str, float, "float | str"]
"""Model, reference, the figure of Plait, and that of the reference or why there is none."""


@dataclass(frozen=True)
class Comparison:
    """Both sides of every row on one split."""

    train: plait.Dataset
    test: plait.Dataset
    work: Path
    seeds: int

    def rows(self, references: Collection[str]) -> Iterator[Row]:
        """The rows of some references."""
        for reference in REFERENCES:
            if reference in references:
                yield from getattr(self, reference)()

    def numpy(self) -> Iterator[Row]:
        """EASE and item neighbours in closed form."""
        yield "EASE", "numpy", self._ours(models.EASE(l2=L2)), self._lists(ease(self.train))
        figure = self._ours(models.ItemKNN(k=NEIGHBOURS))
        yield "ItemKNN", "numpy", figure, self._lists(item_knn(self.train))

    def implicit(self) -> Iterator[Row]:
        """IALS by the library itself."""
        seeds = range(self.seeds)
        ours = float(np.mean([self._ours(models.IALS(), seed) for seed in seeds]))
        fits = [implicit_als(self.train, seed) for seed in seeds]
        names = ("implicit", "implicit, users solved once more")
        for name, scores in zip(names, zip(*fits, strict=True), strict=True):
            figure = float(np.mean([self._lists(matrix) for matrix in scores]))
            yield f"IALS, mean of {self.seeds} seeds", name, ours, figure

    def lenskit(self) -> Iterator[Row]:
        """EASE and item neighbours of LensKit."""
        tables = peer("lenskit", self.work, self.train, self.test)
        for name, model in (
            ("EASE", models.EASE(l2=L2)),
            ("ItemKNN", models.ItemKNN(k=NEIGHBOURS)),
            ("ItemKNN, all neighbours", models.ItemKNN(k=self.train.n_items)),
        ):
            if isinstance(tables, str):
                yield name, "LensKit", self._ours(model), tables
            elif name in tables:
                figure = ndcg(tables[name], self.train, self.test)
                yield name, "LensKit", self._ours(model), figure

    def surprise(self) -> Iterator[Row]:
        """SVD++ of Surprise, on the ratings that both predict."""
        pairs = self.test.to_frame().select("user", "item")
        predicted = models.SVDpp().fit(self.train).scores(pairs).drop_nulls("rating")
        ours = predicted.select("user", "item", score="rating")
        tables = peer("surprise", self.work, self.train, self.test)
        if isinstance(tables, str):
            yield "SVDpp (RMSE)", "Surprise", rmse(ours, self.test), tables
            return
        reference = tables["SVDpp"].join(ours, on=["user", "item"], how="semi")
        yield "SVDpp (RMSE)", "Surprise", rmse(ours, self.test), rmse(reference, self.test)

    def _ours(self, model: Any, seed: int = 0) -> float:
        lists = model.fit(self.train, seed=seed).recommend(self.test, k=20)
        return ndcg(lists, self.train, self.test)

    def _lists(self, scores: Any) -> float:
        return ndcg(lists_of(scores, self.train), self.train, self.test)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--references", nargs="+", choices=REFERENCES, default=REFERENCES)
    parser.add_argument("--splits", nargs="+", choices=SPLITS, default=SPLITS)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    data = ratings(options.data)
    print(data)
    print("| split | model | reference | Plait | reference's | ratio |\n|---|---|---|---|---|---|")
    for name in options.splits:
        train, test = data.split_random(0.2) if name == "random" else data.split_time(0.8)
        known = np.isin(test.interactions.users, train.interactions.users)
        comparison = Comparison(train, test.keep(known), options.work, options.seeds)
        for model, library, figure, reference in comparison.rows(options.references):
            cells = [name, model, library, f"{figure:.4f}", str(reference), ""]
            if not isinstance(reference, str):
                cells[4:] = [f"{reference:.4f}", f"{figure / reference:.4f}"]
            print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()

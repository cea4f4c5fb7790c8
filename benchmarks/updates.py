"""What `update` of a fitted model costs and gives, beside a fit on all events and no update.

    python benchmarks/updates.py [--movies ml-latest-small/ratings.csv] [--models LightGCN,BPR]
        [--shares 0.1,0.25,1]

Online Retail (embedded) is cut in time: 81 %, 9 % and 10 % of the events; the last part is
recommended to its users. With `--movies` ratings: a tenth of the ratings of every user is the test,
the others are cut in time at 90 %. Seconds are those of the processor, on one thread with
`OMP_NUM_THREADS=1`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from serve import machine

import plait
from plait import Dataset, datasets, models

MODELS = {
    "IALS": models.IALS,
    "BPR": models.BPR,
    "LightGCN": lambda: models.LightGCN(device="cpu"),
    "SASRec": lambda: models.SASRec(device="cpu", epochs=10),
    "SVDpp": models.SVDpp,
}


def online_retail() -> tuple[Dataset, Dataset, Dataset, Dataset]:
    """Earlier events, new ones, both, and the test."""
    whole, test = Dataset.of(**datasets.load("online-retail")).kcore(5).split_time(0.9)
    return *whole.split_time(0.9), whole, test


def movies(path: Path) -> tuple[Dataset, Dataset, Dataset, Dataset]:
    """Earlier ratings, new ones, both, and the test."""
    whole, test = Dataset.of(path).kcore(5).split_random(0.1, by="user", seed=1)
    return *whole.split_time(0.9), whole, test


def timed(fit: Callable[[], Any]) -> tuple[Any, float]:
    """A fitted model, and the seconds of the processor that it took."""
    start = time.process_time()
    return fit(), time.process_time() - start


def ratings(fitted: Any, test: Dataset) -> np.ndarray:
    """The predicted ratings of the test, NaN where there is none."""
    return fitted.scores(test.to_frame())["rating"].cast(float).fill_null(np.nan).to_numpy()


def qualities(fits: Sequence[Any], whole: Dataset, test: Dataset) -> list[str]:
    """NDCG@10 of each model, or RMSE of the ratings that all of them predict."""
    if "rating" in fits[0].scores(test.to_frame().head(1)).columns:
        errors = np.array([ratings(fitted, test) for fitted in fits]) - test.to_frame()["value"]
        known = np.isfinite(errors).all(axis=0)
        return [f"RMSE {np.sqrt(np.mean(row[known] ** 2)):.4f}" for row in errors]
    lists = {
        str(number): fitted.recommend(test, k=10, seen=["remove", whole])
        for number, fitted in enumerate(fits)
    }
    table = plait.score(lists, test, k=10, metrics=["ndcg"], seen=whole).to_frame()
    return [f"NDCG@10 {value:.4f}" for value in table["value"]]


def measured(name: str, parts: Sequence[Dataset], shares: Sequence[float]) -> None:
    """Print a row for each way to know the new events."""
    old, new, whole, test = parts
    first, seconds = timed(lambda: MODELS[name]().fit(old))
    rows = {
        "not updated": (first, seconds),
        "fitted anew": timed(lambda: MODELS[name]().fit(whole)),
    }
    for share in shares:
        rows[f"updated, share {share:g}"] = timed(partial(first.update, new, share=share))
    figures = qualities([fitted for fitted, _ in rows.values()], whole, test)
    for (label, (_, spent)), figure in zip(rows.items(), figures, strict=True):
        print(f"| {name} | {label} | {figure} | {spent:.1f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--movies", type=Path)
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--shares", default="0.1,0.25,1")
    options = parser.parse_args()
    print(machine())
    parts = movies(options.movies) if options.movies else online_retail()
    for part in parts:
        print(str(part).partition("\n")[0])
    for name in options.models.split(","):
        if name == "SVDpp" and not options.movies:
            continue  # there are no ratings
        measured(name, parts, [float(share) for share in options.shares.split(",")])


if __name__ == "__main__":
    main()

"""What the scripts of all libraries share: the data they read, the clock, the lists they write.

It runs in each library's own environment and needs numpy alone. Times are seconds on a clock that
starts when everything is imported and read, and stops while the test lists are written, which a
real training would not do. A run pinned to one core is timed by the processor, so that other work
on the machine does not count.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import resource
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]

K = 20
"""Length of the lists; metrics stop at 10, so that ties at the end do not matter."""


ONE_CORE = hasattr(os, "sched_getaffinity") and len(os.sched_getaffinity(0)) == 1

clock = time.process_time if ONE_CORE else time.perf_counter


class TimeUp(Exception):  # noqa: N818  nothing went wrong
    """The minutes of the run are over."""


@dataclass(frozen=True)
class Fold:
    """B queries: `users` int32 [B]; what each took before, oldest first, is `history(row)`.

    `targets` int32 [B] are given for the validation fold alone.
    """

    name: str
    users: Ints
    values: Ints
    offsets: npt.NDArray[np.int64]
    targets: Ints | None

    def __len__(self) -> int:
        return len(self.users)

    def history(self, row: int) -> Ints:
        """Item numbers, oldest first. All of them are seen and stay out of the list."""
        return self.values[self.offsets[row] : self.offsets[row + 1]]

    @property
    def rows(self) -> npt.NDArray[np.int64]:
        """The row of every value of the histories, int64 [N]."""
        return np.repeat(np.arange(len(self)), np.diff(self.offsets))

    def last(self, length: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """The last `length` items of each history, -1 pads behind, and how many there are."""
        counts = np.minimum(np.diff(self.offsets), length)
        matrix = np.full((len(self), length), -1, np.int64)
        for row, count in enumerate(counts):
            matrix[row, :count] = self.values[self.offsets[row + 1] - count : self.offsets[row + 1]]
        return matrix, counts

    def batch(self, start: int, stop: int) -> Fold:
        """The queries `start`..`stop`."""
        low, high = self.offsets[start], self.offsets[min(stop, len(self))]
        return Fold(
            self.name,
            self.users[start:stop],
            self.values[low:high],
            self.offsets[start : stop + 1] - low,
            None if self.targets is None else self.targets[start:stop],
        )


class World:
    """What `export.py` wrote: the interactions to train on, ordered by user and time, and queries.

    `train`: arrays `user`, `item` int32 and `time` int64 (positions where there are no times); in a
    world of ratings also `rating` float32.
    """

    def __init__(self, folder: Path) -> None:
        self.about: dict[str, Any] = json.loads((folder / "world.json").read_text("utf-8"))
        with np.load(folder / "train.npz", allow_pickle=False) as arrays:
            self.train = {name: arrays[name] for name in arrays.files}
        with np.load(folder / "queries.npz", allow_pickle=False) as arrays:
            self._queries = {name: arrays[name] for name in arrays.files}
        self.n_users: int = self.about["users"]
        self.n_items: int = self.about["items"]

    def fold(self, name: str) -> Fold:
        """The queries of `validation` or `test`."""
        arrays = self._queries
        fields = (f"{name}_user", f"{name}_values", f"{name}_offsets")
        return Fold(name, *(arrays[field] for field in fields), arrays.get(f"{name}_target"))

    def ratings(self, name: str) -> dict[str, npt.NDArray[Any]]:
        """User and item of the ratings to be told; those of `validation` with the rating."""
        start = f"{name}_"
        return {
            key.removeprefix(start): values
            for key, values in self._queries.items()
            if key.startswith(start)
        }


class Kit:
    """One run of one model: settings, clock, looks at validation, what is written at the end."""

    def __init__(self, arguments: argparse.Namespace, packages: Sequence[str]) -> None:
        began = clock()
        self.model: str = arguments.model
        self.seed: int = arguments.seed
        self.trials: int = arguments.trials
        self.patience: int = arguments.patience
        self.world = World(arguments.world)
        self._every: int = arguments.every
        self._out: Path = arguments.out
        self._overrides: dict[str, Any] = json.loads(arguments.settings)
        self._limit = 60.0 * arguments.minutes
        self._versions = {name: metadata.version(name) for name in packages}
        self._phases = {"read": clock() - began}
        self._looks: list[dict[str, Any]] = []
        self._settings: list[dict[str, Any]] = []
        self._cut = False
        self._paused = 0.0
        self._began = clock()

    # -- the clock

    @property
    def seconds(self) -> float:
        """Since the start, less what the clock stood still."""
        return clock() - self._began - self._paused

    def check_time(self, *_ignored: object) -> None:
        """Raise TimeUp once the minutes are over; to be called at every step of a training."""
        if self.seconds > self._limit:
            raise TimeUp

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Seconds spent inside are counted as `name`."""
        began = clock()
        try:
            yield
        finally:
            spent = clock() - began
            self._phases[name] = self._phases.get(name, 0.0) + spent

    def train(
        self, epochs: int, epoch: Callable[[int], object], ranked: Callable[[Fold], Ints]
    ) -> None:
        """Epoch after epoch, a look now and then, until patience ends or `epoch` raises TimeUp.

        What the minutes cut off in an epoch is looked at as it stands then.
        """
        for number in range(1, epochs + 1):
            try:
                with self.phase("train"):
                    epoch(number)
            except TimeUp:
                self._cut = True
            due = number % self._every == 0 or number == epochs or self._cut
            if due and (not self.look(number, ranked) or self._cut):
                return

    # -- settings

    def settings(self, published: Mapping[str, Any]) -> dict[str, Any]:
        """The published settings, under those of the command line."""
        merged = {**published, **self._overrides}
        self._settings.append(merged)
        return merged

    def tried(
        self,
        published: Mapping[str, Any],
        grid: Mapping[str, Sequence[Any]],
        ours: Mapping[str, Any] | None = None,
    ) -> Iterator[dict[str, Any]]:
        """The published settings, `ours` if Plait has the model, then others of the grid, drawn by
        seed: `trials` in all."""
        names = list(grid)
        cells = [
            dict(zip(names, values, strict=True)) for values in itertools.product(*grid.values())
        ]
        order = np.random.default_rng(self.seed).permutation(len(cells)) if names else []
        others = [*([ours] if ours else []), *(cells[values] for values in order)]
        yield self.settings(published)
        for values in others[: self.trials - 1]:
            if self.seconds > self._limit:
                self._cut = True
                return
            yield self.settings({**published, **values})

    # -- looks

    def look(self, epoch: int, ranked: Callable[[Fold], Ints]) -> bool:
        """Rank validation, then (with the clock standing) test; whether there is reason to go on.

        `ranked` gives item numbers int32 [B, K], best first, -1 pads.
        """
        fold = self.world.fold("validation")
        with self.phase("validate"):
            metrics = measured(ranked(fold), fold)
        self._note(epoch, metrics)
        with self._standing(), self.phase("recommend"):
            began = clock()
            lists = ranked(self.world.fold("test"))
            self._looks[-1]["recommend_seconds"] = clock() - began
            np.save(self._out / self._looks[-1]["file"], np.asarray(lists, np.int32))
        since = len(self._looks) - 1 - self._best("ndcg@10")
        return self.patience == 0 or since < self.patience

    def validate_ratings(self, rated: Callable[[Mapping[str, Any]], Floats]) -> None:
        """Validate ratings: `rated` predicts the pairs of the validation fold."""
        pairs = self.world.ratings("validation")
        with self.phase("validate"):
            errors = np.asarray(rated(pairs), np.float64) - pairs["rating"]
        self._note(1, {"rmse": float(np.sqrt(np.mean(errors**2)))})

    def write_test_ratings(self, rated: Callable[[Mapping[str, Any]], Floats]) -> None:
        """The ratings of the test, by a model with the best settings fitted on all of train."""
        with self._standing(), self.phase("recommend"):
            ratings = np.asarray(rated(self.world.ratings("test")), np.float32)
            np.save(self._out / "ratings.npy", ratings)

    @property
    def best_settings(self) -> dict[str, Any]:
        """Of the trial with the least error on validation."""
        return dict(self._looks[self._best("rmse")]["settings"])

    def _note(self, epoch: int, metrics: Mapping[str, float]) -> None:
        number = len(self._looks)
        settings = self._settings[-1] if self._settings else {}
        trained = self._phases.get("train", 0.0)
        before = sum(validation["train_seconds"] for validation in self._looks)
        record = {"seconds": self.seconds, "train_seconds": trained - before, "epoch": epoch}
        record |= {"settings": settings, **metrics}
        self._looks.append({**record, "file": f"lists-{number}.npy"})
        shown = " ".join(f"{name} {value:.4f}" for name, value in metrics.items())
        print(f"{self.seconds:8.1f} s  {epoch:4}  {shown}", flush=True)

    def _best(self, metric: str) -> int:
        values = [validation[metric] for validation in self._looks]
        return int(np.argmin(values) if metric == "rmse" else np.argmax(values))

    @contextmanager
    def _standing(self) -> Iterator[None]:
        began = clock()
        try:
            yield
        finally:
            self._paused += clock() - began

    # -- the end

    def write(self, **more: Any) -> None:
        """`run.json`: what was run, on what, how long, how large, how good on validation."""
        metric = "ndcg@10" if any("ndcg@10" in validation for validation in self._looks) else "rmse"
        best = self._best(metric) if self._looks else -1
        record = {
            "model": self.model,
            "versions": self._versions,
            "python": platform.python_version(),
            "threads": os.environ.get("OMP_NUM_THREADS", str(os.cpu_count())),
            "clock": "processor" if ONE_CORE else "wall",
            "seed": self.seed,
            "settings": self._looks[best]["settings"] if self._looks else self._settings[-1],
            "trials": len(self._settings),
            "minutes": self._limit / 60,
            "cut": self._cut,
            "seconds": self.seconds,
            "phases": self._phases,
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "world": self.world.about,
            "best": best,
            "looks": self._looks,
            **more,
        }
        (self._out / "run.json").write_text(json.dumps(record, indent=1), "utf-8")


def started(models: Sequence[str], packages: Sequence[str]) -> Kit:
    """The run that the command line asks for. `packages`: whose versions are reported."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--world", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", choices=sorted(models), required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--trials", type=int, default=1)
    parser.add_argument("--patience", type=int, default=10)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--settings", default="{}")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    return Kit(options, packages)


def top(scores: npt.NDArray[np.floating], fold: Fold, k: int = K) -> Ints:
    """The `k` best unseen items of scores [B, n_items], best first; `scores` are spoilt by it."""
    scores[fold.rows, fold.values] = -np.inf
    k = min(k, scores.shape[1])
    candidates = np.argpartition(-scores, k - 1, axis=1)[:, :k]
    order = np.argsort(-np.take_along_axis(scores, candidates, axis=1), axis=1, kind="stable")
    best = np.take_along_axis(candidates, order, axis=1).astype(np.int32)
    best[np.isneginf(np.take_along_axis(scores, best, axis=1))] = -1
    return best


def in_batches(
    fold: Fold, score: Callable[[Fold], npt.NDArray[np.floating]], size: int = 512
) -> Ints:
    """`top` of a whole fold, `size` queries at once."""
    batches = [fold.batch(start, start + size) for start in range(0, len(fold), size)]
    return np.concatenate([top(np.array(score(batch)), batch) for batch in batches])


def measured(lists: Ints, fold: Fold) -> dict[str, float]:
    """Recall@10 and NDCG@10 of one target a query: what early stopping looks at."""
    if fold.targets is None:
        raise ValueError(f"the targets of {fold.name} are not known here")
    rows, positions = np.nonzero(lists[:, :10] == fold.targets[:, None])
    return {
        "recall@10": len(rows) / max(len(fold), 1),
        "ndcg@10": float((1 / np.log2(positions + 2.0)).sum()) / max(len(fold), 1),
    }

"""What the scripts of all peers share: the world they read, the clock, the lists they write.

It runs in each peer's own environment and needs numpy alone. Times are seconds on a clock that
starts when everything is imported and read, and stands still while the lists of the test are
written, which a training in earnest would not do. A run pinned to one core is timed by the seconds
it had of that core, so that whatever else the machine does costs a peer none of its minutes.
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
"""How long the lists are; metrics stop at 10, so that a peer loses nothing by ties at the end."""


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

    def part(self, start: int, stop: int) -> Fold:
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
        with np.load(folder / "train.npz", allow_pickle=False) as found:
            self.train = {name: found[name] for name in found.files}
        with np.load(folder / "queries.npz", allow_pickle=False) as found:
            self._queries = {name: found[name] for name in found.files}
        self.n_users: int = self.about["users"]
        self.n_items: int = self.about["items"]

    def fold(self, name: str) -> Fold:
        """The queries of `validation` or `test`."""
        found = self._queries
        fields = (f"{name}_user", f"{name}_values", f"{name}_offsets")
        return Fold(name, *(found[one] for one in fields), found.get(f"{name}_target"))

    def ratings(self, name: str) -> dict[str, npt.NDArray[Any]]:
        """User and item of the ratings to be told; those of `validation` with the rating."""
        start = f"{name}_"
        return {
            key.removeprefix(start): found
            for key, found in self._queries.items()
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
        self._given: dict[str, Any] = json.loads(arguments.settings)
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
        found = {**published, **self._given}
        self._settings.append(found)
        return found

    def tried(
        self,
        published: Mapping[str, Any],
        grid: Mapping[str, Sequence[Any]],
        ours: Mapping[str, Any] | None = None,
    ) -> Iterator[dict[str, Any]]:
        """The published settings, `ours` if Plait has the model, then others of the grid, drawn by
        seed: `trials` in all."""
        names = list(grid)
        cells = [dict(zip(names, one, strict=True)) for one in itertools.product(*grid.values())]
        order = np.random.default_rng(self.seed).permutation(len(cells)) if names else []
        others = [*([ours] if ours else []), *(cells[one] for one in order)]
        yield self.settings(published)
        for one in others[: self.trials - 1]:
            if self.seconds > self._limit:
                self._cut = True
                return
            yield self.settings({**published, **one})

    # -- looks

    def look(self, epoch: int, ranked: Callable[[Fold], Ints]) -> bool:
        """Rank validation, then (with the clock standing) test; whether there is reason to go on.

        `ranked` gives item numbers int32 [B, K], best first, -1 pads.
        """
        fold = self.world.fold("validation")
        with self.phase("validate"):
            found = measured(ranked(fold), fold)
        self._note(epoch, found)
        with self._standing(), self.phase("recommend"):
            began = clock()
            lists = ranked(self.world.fold("test"))
            self._looks[-1]["recommend_seconds"] = clock() - began
            np.save(self._out / self._looks[-1]["file"], np.asarray(lists, np.int32))
        since = len(self._looks) - 1 - self._best("ndcg@10")
        return self.patience == 0 or since < self.patience

    def told(self, rated: Callable[[Mapping[str, Any]], Floats]) -> None:
        """The same for ratings: what `rated` says of the validation's and the test's pairs."""
        pairs = self.world.ratings("validation")
        with self.phase("validate"):
            errors = np.asarray(rated(pairs), np.float64) - pairs["rating"]
        self._note(1, {"rmse": float(np.sqrt(np.mean(errors**2)))})

    def predicted(self, rated: Callable[[Mapping[str, Any]], Floats]) -> None:
        """The ratings of the test, by a model with the best settings fitted on all of train."""
        with self._standing(), self.phase("recommend"):
            found = np.asarray(rated(self.world.ratings("test")), np.float32)
            np.save(self._out / "ratings.npy", found)

    @property
    def best_settings(self) -> dict[str, Any]:
        """Of the trial with the least error on validation."""
        return dict(self._looks[self._best("rmse")]["settings"])

    def _note(self, epoch: int, found: Mapping[str, float]) -> None:
        number = len(self._looks)
        settings = self._settings[-1] if self._settings else {}
        trained = self._phases.get("train", 0.0)
        before = sum(one["train_seconds"] for one in self._looks)
        told = {"seconds": self.seconds, "train_seconds": trained - before, "epoch": epoch}
        told |= {"settings": settings, **found}
        self._looks.append({**told, "file": f"lists-{number}.npy"})
        shown = " ".join(f"{name} {value:.4f}" for name, value in found.items())
        print(f"{self.seconds:8.1f} s  {epoch:4}  {shown}", flush=True)

    def _best(self, metric: str) -> int:
        values = [one[metric] for one in self._looks]
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
        metric = "ndcg@10" if any("ndcg@10" in one for one in self._looks) else "rmse"
        best = self._best(metric) if self._looks else -1
        found = {
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
        (self._out / "run.json").write_text(json.dumps(found, indent=1), "utf-8")


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
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    return Kit(given, packages)


def top(scores: npt.NDArray[np.floating], fold: Fold, k: int = K) -> Ints:
    """The `k` best unseen items of scores [B, n_items], best first; `scores` are spoilt by it."""
    scores[fold.rows, fold.values] = -np.inf
    k = min(k, scores.shape[1])
    found = np.argpartition(-scores, k - 1, axis=1)[:, :k]
    order = np.argsort(-np.take_along_axis(scores, found, axis=1), axis=1, kind="stable")
    best = np.take_along_axis(found, order, axis=1).astype(np.int32)
    best[np.isneginf(np.take_along_axis(scores, best, axis=1))] = -1
    return best


def in_parts(
    fold: Fold, score: Callable[[Fold], npt.NDArray[np.floating]], size: int = 512
) -> Ints:
    """`top` of a whole fold, `size` queries at once."""
    parts = [fold.part(start, start + size) for start in range(0, len(fold), size)]
    return np.concatenate([top(np.array(score(one)), one) for one in parts])


def measured(lists: Ints, fold: Fold) -> dict[str, float]:
    """Recall@10 and NDCG@10 of one target a query: what early stopping looks at."""
    if fold.targets is None:
        raise ValueError(f"the targets of {fold.name} are not known here")
    rows, places = np.nonzero(lists[:, :10] == fold.targets[:, None])
    return {
        "recall@10": len(rows) / max(len(fold), 1),
        "ndcg@10": float((1 / np.log2(places + 2.0)).sum()) / max(len(fold), 1),
    }

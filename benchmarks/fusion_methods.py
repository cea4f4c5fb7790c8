"""NDCG@10 of `default` under each fusion method, and what fusing costs.

    python benchmarks/fusion_methods.py [--data FOLDER] [--only beauty,online-retail] [--ablate]
    python benchmarks/fusion_methods.py --latency

Beauty is measured by leave-one-out (seen items removed, no second fit), the other sets by time. The
models of a set are fitted once for all methods; a ranker learns as `docs/evaluation.md` says.
Differences to the weighted sum are paired; intervals are 95 % of a bootstrap over users. FOLDER
holds `amazon-beauty`, `movietweetings` and `ml-100k`; Online Retail is embedded. `--latency` fuses
200 candidates of six models, one query at a time; it takes processor time, which other load does
not blur.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from serve import machine

import plait
from plait import datasets
from plait.data.ragged import Ragged
from plait.data.types import CandidateLists, History, QueryBatch
from plait.evaluation.results.report import Report
from plait.ranking.fusion.config import FuseConfig
from plait.ranking.fusion.fuse import Fuse
from plait.testing.synthetic_data import make_dataset

ROOT = Path(__file__).resolve().parent.parent
MODELS = ("popular", "repeat", "neighbours", "linear", "content", "lexical")
CANDIDATES = 200
TIMED = 2_000


def sources(data: Path | None) -> dict[str, Mapping[str, Any]]:
    """What to ingest, by data set."""
    known: dict[str, Mapping[str, Any]] = {"online-retail": datasets.load("online-retail")}
    if data is None:
        return known
    beauty, tweets = data / "amazon-beauty", data / "movietweetings"
    return {
        "beauty": {"events": beauty / "interactions.parquet", "items": beauty / "items.parquet"},
        **known,
        "movietweetings": {
            "events": tweets / "ratings.parquet",
            "items": tweets / "movies.parquet",
            "map": ROOT / "docs" / "mappings" / "movietweetings.toml",
        },
        "ml-100k": movielens(data / "ml-100k"),
    }


def movielens(folder: Path) -> Mapping[str, Any]:
    """The tables of MovieLens 100K."""
    columns = ["user", "item", "value", "time"]
    events = pl.read_csv(folder / "u.data", separator="\t", has_header=False, new_columns=columns)
    genres = [line.split("|")[0] for line in (folder / "u.genre").read_text().splitlines() if line]
    rows = [
        line.split("|") for line in (folder / "u.item").read_text(encoding="latin1").splitlines()
    ]
    films = {
        "item": [row[0] for row in rows],
        "title": [row[1] for row in rows],
        "genres": [
            [genre for genre, flag in zip(genres, row[5:], strict=True) if flag == "1"]
            for row in rows
        ],
    }
    return {"events": events, "items": pl.DataFrame(films)}


def measured(source: Mapping[str, Any], protocol: str, ablate: bool) -> Report:
    with plait.open(None) as workspace:
        workspace.ingest(**source)
        options = {"seen": "remove"} if protocol == "leave-one-out" else {}
        return workspace.evaluate(
            protocol, ["default"], k=(10,), fusion_methods=True, ablate=ablate, **options
        )


def lines(name: str, protocol: str, report: Report) -> Iterator[str]:
    """The rows of a table: method, value, difference to the weighted sum."""
    fused = report.result("fused").metrics["ndcg@10"]
    yield f"| {name}, {protocol} | `weighted` | {fused.value:.4f} | |"
    for gap in report.paired:
        if ":" not in gap.against or gap.metric != "ndcg@10":
            continue
        value = report.result(gap.against).metrics["ndcg@10"].value
        difference = gap.difference  # fused less the other row
        bounds = f"[{-difference.high:+.4f}, {-difference.low:+.4f}]"
        share = 100 * -difference.value / fused.value
        row = gap.against.removeprefix("fused:")
        yield f"| | `{row}` | {value:.4f} | {-difference.value:+.4f} {bounds} ({share:+.1f} %) |"


def latencies() -> Iterator[str]:
    """Milliseconds of fusing one query, by method."""
    random = np.random.default_rng(0)
    width, n_queries = CANDIDATES, 400
    scores = random.normal(size=(len(MODELS), n_queries, width)).astype(np.float32)
    targets = (scores[2] * np.sign(scores[3]) + random.gumbel(size=scores[0].shape)).argmax(axis=1)
    numbers = np.tile(np.arange(width, dtype=np.int32), (n_queries, 1))
    columns: dict[str, Any] = {f"{name}.score": scores[at] for at, name in enumerate(MODELS)}
    for at, name in enumerate(MODELS):
        columns[f"{name}.rank"] = np.argsort(np.argsort(-scores[at])).astype(np.int32)
    history = History(
        np.arange(n_queries + 1) * 5,
        random.integers(0, width, 5 * n_queries).astype(np.int32),
        np.tile(np.arange(5), n_queries),
        np.ones(5 * n_queries, np.float32),
    )
    queries, items = QueryBatch.of_histories(history), CandidateLists(numbers, columns)
    events = [(f"u{user}", f"i{item}", user + item) for user in range(9) for item in range(width)]
    dataset = make_dataset(events)
    usual = 0.0
    for method in ("weighted", "rrf", "borda", "majority", "mixer", "lambdarank"):
        fuse = Fuse(FuseConfig(method=method), name="fuse").fit(dataset)
        lesson = queries, items, Ragged.from_rows([[int(target)] for target in targets])
        fuse = fuse.learn_weights(*lesson).learn_ranker(*lesson)
        taken = []
        for number in range(TIMED):
            row = number % n_queries
            query = replace(queries.slice(row, row + 1), cache={})
            single = CandidateLists(
                numbers[row : row + 1],
                {name: column[row : row + 1] for name, column in columns.items()},
            )
            start = time.thread_time()
            fuse.apply(query, single)
            taken.append(1000 * (time.thread_time() - start))
        p50, p99 = np.percentile(taken, [50, 99])
        usual = usual or float(p50)
        yield f"| `{method}` | {p50:.2f} | {p99:.2f} | {p50 / usual:.1f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--ablate", action="store_true")
    parser.add_argument("--latency", action="store_true")
    options = parser.parse_args()
    print(machine(), flush=True)
    if options.latency:
        print("| method | p50 ms | p99 ms | p50 / weighted |\n|---|---|---|---|")
        for line in latencies():
            print(line, flush=True)
        return
    print("| data | method | NDCG@10 | minus weighted |\n|---|---|---|---|")
    for name, source in sources(options.data).items():
        if options.only and name not in options.only.split(","):
            continue
        protocol = "leave-one-out" if name == "beauty" else "time"
        start = time.perf_counter()
        for line in lines(name, protocol, measured(source, protocol, options.ablate)):
            print(line, flush=True)
        print(f"{time.perf_counter() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()

"""NDCG@10 of `default` under each fusion method, and what fusing costs.

    python benchmarks/fusion_methods.py --data FOLDER [--only online-retail] [--work FOLDER]
    python benchmarks/fusion_methods.py --latency

The reports are those of `everywhere.py --recipes default --fusion-methods`: stored in `--work`, and
made where they are missing. The models of a data set are fitted once for all methods; a ranker
learns as `docs/evaluation.md` says. Differences to the served method are paired; intervals are 95 %
of a bootstrap over users. `--latency` fuses 200 candidates of six models, one query at a time; it
takes processor time, which other load does not blur.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import everywhere
import numpy as np
from serve import machine

from plait.data.ragged import Ragged
from plait.data.types import CandidateLists, History, QueryBatch
from plait.ranking.fusion.config import FuseConfig
from plait.ranking.fusion.fuse import Fuse
from plait.testing.synthetic_data import make_dataset

MODELS = ("popular", "repeat", "neighbours", "linear", "content", "lexical")
CANDIDATES = 200
TIMED = 2_000


def lines(run: everywhere.Run, report: dict[str, Any]) -> Iterator[str]:
    """The rows of a table: method, value, difference to the served one."""
    served = report["fusion"][run.recipe]["method"]
    value = everywhere.ndcg(everywhere.row(report, "fused"))
    yield f"| {run.data_set}, {run.protocol} | `{served}`, as served | {value:.4f} | |"
    for gap in report["paired"]:
        name = gap["against"]
        if gap["metric"] != "ndcg@10" or not everywhere.is_fusion(name):
            continue
        figures = [-gap["value"], -gap["high"], -gap["low"]]
        share = 100 * figures[0] / value
        bounds = "{:+.4f} [{:+.4f}, {:+.4f}]".format(*figures)
        other = everywhere.ndcg(everywhere.row(report, name))
        yield f"| | `{name.removeprefix('fused:')}` | {other:.4f} | {bounds} ({share:+.1f} %) |"


def latencies() -> Iterator[str]:
    """Milliseconds of fusing one query, by method."""
    random = np.random.default_rng(0)
    width, n_queries = CANDIDATES, 400
    scores = random.normal(size=(len(MODELS), n_queries, width)).astype(np.float32)
    targets = (4 * scores[2] * np.sign(scores[3]) + random.gumbel(size=scores[0].shape)).argmax(
        axis=1
    )
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
        fuse = Fuse(FuseConfig(method=method, ranker_gain_errors=0), name="fuse").fit(dataset)
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
    everywhere.add_options(parser)
    parser.add_argument("--latency", action="store_true")
    options = parser.parse_args()
    print(machine(), flush=True)
    if options.latency:
        print("| method | p50 ms | p99 ms | p50 / weighted |\n|---|---|---|---|")
        for line in latencies():
            print(line, flush=True)
        return
    options.recipes, options.fusion_methods = "default", True
    everywhere.complete(options)
    print("| data | method | NDCG@10 | minus the served one |\n|---|---|---|---|")
    for run in everywhere.runs(options):
        if document := everywhere.stored(run, options.work):
            print("\n".join(lines(run, document["report"])), flush=True)


if __name__ == "__main__":
    main()

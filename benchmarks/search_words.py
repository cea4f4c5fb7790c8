"""How well the model `lexical` finds items by words, with typing errors and without, and how fast.

    python benchmarks/search_words.py [--data FOLDER] [--queries 2000] [--k1 0.1,0.6,1.2]

Embedded titles: words of Online Retail's titles with one wrong letter, of which any item with the
word must be found; once with all titles in the index, once with half of them added after the fit.
FOLDER holds `home-depot`: the share of queries with a product judged 2.33 or more among the first
ten of all products; the same with one random edit in a word of four letters or more, and with two
in a word of seven or more; the milliseconds of one query, of one completion (of each beginning of
300 queries) and until an added item is found; items indexed a second. Times are processor time.
"""

from __future__ import annotations

import argparse
import random
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from plait import datasets
from plait.data.array_types import BoolArray
from plait.data.types import Dataset, StateView
from plait.retrieval.lexical import Lexical, LexicalConfig
from plait.testing.catalogue_changes import changed, state_with
from plait.testing.queries import ask
from plait.testing.synthetic_data import make_dataset

K = 10
RELEVANT = 2.33
LETTERS = "abcdefghijklmnopqrstuvwxyz"

Find = Callable[[str, int], Sequence[str]]


def with_error(word: str, draw: random.Random) -> str:
    """A word with a letter missing, swapped with the next, replaced or added."""
    kind, at = draw.choice("dtsi"), draw.randrange(len(word))
    if kind == "d":
        return word[:at] + word[at + 1 :]
    if kind == "t" and at + 1 < len(word) and word[at] != word[at + 1]:
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return word[:at] + draw.choice(LETTERS) + word[at + (kind != "i") :]


def query_with_errors(query: str, errors: int, least: int, draw: random.Random) -> str | None:
    """A query with errors in one of its words of `least` letters or more; None without any."""
    words = query.split()
    places = [at for at, word in enumerate(words) if len(word) >= least and word.isalpha()]
    if not places:
        return None
    at = draw.choice(places)
    for _ in range(errors):
        words[at] = with_error(words[at], draw)
    return " ".join(words)


def fitted(titles: Mapping[str, str], **settings: Any) -> tuple[Lexical, Dataset]:
    """The model, fitted on titles."""
    dataset = make_dataset([], items={item: {"title": title} for item, title in titles.items()})
    return Lexical(LexicalConfig(**settings), name="lexical").fit(dataset), dataset


def finder(stage: Lexical, catalogue: Any, live: StateView | None = None) -> Find:
    """What lists the best items for a text."""

    def find(text: str, k: int) -> Sequence[str]:
        numbers = stage.retrieve(ask(catalogue, texts=[text], live=live), k).item_numbers[0]
        return [catalogue.id(number) for number in numbers.tolist() if number >= 0]

    return find


def embedded() -> None:
    """Words of the embedded titles with one wrong letter."""
    frame = datasets.load("online-retail")["items"].drop_nulls("Description")
    titles = dict(zip(frame["StockCode"].cast(pl.String), frame["Description"], strict=True))
    items_by_word: dict[str, set[str]] = {}
    for item, title in titles.items():
        for word in re.findall(r"[a-z]{5,}", title.lower()):
            items_by_word.setdefault(word, set()).add(item)
    draw = random.Random(7)
    words = draw.sample(sorted(items_by_word), 600)
    pairs = [(word, with_error(word, draw)) for word in words]
    pairs = [(word, typed) for word, typed in pairs if typed not in items_by_word]
    stage, dataset = fitted(titles)
    first_half = dict(list(titles.items())[: len(titles) // 2])
    live_stage, half = fitted(first_half)
    items = {item: {"title": title} for item, title in titles.items()}
    catalogue = changed(half.catalogue, half.version, items)
    live = state_with(live_stage, half, catalogue)
    for name, find in (
        ("all in the index", finder(stage, dataset.catalogue)),
        ("half added after the fit", finder(live_stage, catalogue, live)),
    ):
        missed = [pair for pair in pairs if not items_by_word[pair[0]] & set(find(pair[1], 1000))]
        print(f"embedded titles, {name}: {len(missed)} of {len(pairs)} missed {missed[:5]}")


def hits(
    find: Find, queries: Sequence[str], relevant: Sequence[set[str]]
) -> tuple[BoolArray, Sequence[float]]:
    """Whether each query has a relevant item among the first, and p50 and p99 in milliseconds."""
    is_hit, milliseconds = [], []
    for query, items in zip(queries, relevant, strict=True):
        start = time.process_time()
        best = find(query, K)
        milliseconds.append((time.process_time() - start) * 1000)
        is_hit.append(bool(items & set(best)))
    return np.array(is_hit), np.percentile(milliseconds, [50, 99]).round(2).tolist()


def completion_times(stage: Lexical, dataset: Dataset, queries: Sequence[str]) -> Sequence[float]:
    """The p50 and p99 in milliseconds of completing each beginning of some queries."""
    live = state_with(stage, dataset, dataset.catalogue)
    milliseconds = []
    for text in (query[:end] for query in queries for end in range(1, len(query) + 1)):
        start = time.process_time()
        stage.complete(ask(dataset.catalogue, texts=[text], live=live), K)
        milliseconds.append((time.process_time() - start) * 1000)
    p50, p99 = np.percentile(milliseconds, [50, 99]).round(2).tolist()
    return p50, p99


def time_until_found(stage: Lexical, dataset: Dataset) -> float:
    """The milliseconds from one more item in the catalogue until a search finds it."""
    catalogue = changed(dataset.catalogue, dataset.version, {"added": {"title": "zyxwv lamp"}})
    start = time.process_time()
    live = state_with(stage, dataset, catalogue)
    if finder(stage, catalogue, live)("zyxwv lamp", K)[0] != "added":
        raise SystemExit("the added item is not found")
    return (time.process_time() - start) * 1000


def home_depot(folder: Path, count: int, k1: Sequence[float]) -> None:
    """Judged queries over all products."""
    products = pl.read_parquet(folder / "products.parquet")
    judgements = pl.read_parquet(folder / "judgements.parquet")
    titles = dict(zip(products["product_uid"].cast(pl.String), products["title"], strict=True))
    good = judgements.filter(pl.col("relevance") >= RELEVANT)
    relevant = {
        query: set(map(str, items))
        for query, items in good.group_by("search_term")
        .agg("product_uid")
        .sort("search_term")
        .rows()
    }
    queries = random.Random(1).sample(sorted(relevant), min(count, len(relevant)))
    for value in k1:
        start = time.process_time()
        stage, dataset = fitted(titles, k1=value)
        rate = len(titles) / (time.process_time() - start)
        find = finder(stage, dataset.catalogue)
        plain, latencies = hits(find, queries, [relevant[query] for query in queries])
        print(
            f"k1 {value}: hit@10 {plain.mean():.4f}, "
            f"p50 and p99 {latencies} ms, {rate:,.0f} items/s, "
            f"completion {completion_times(stage, dataset, queries[:300])} ms, "
            f"an added item found after {time_until_found(stage, dataset):.0f} ms"
        )
        for errors, least in ((1, 4), (2, 7)):
            draw = random.Random(errors)
            typed = [query_with_errors(query, errors, least, draw) for query in queries]
            rows = [row for row, text in enumerate(typed) if text]
            texts, items = (
                [typed[row] or "" for row in rows],
                [relevant[queries[row]] for row in rows],
            )
            wrong, latencies = hits(find, texts, items)
            share = wrong.mean() / plain[rows].mean()
            print(
                f"  {errors} edits in {len(rows)}: {wrong.mean():.4f}, "
                f"kept {share:.3f}, {latencies} ms"
            )


def main() -> None:
    """Run the parts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--queries", type=int, default=2000)
    parser.add_argument("--k1", default="0.6")
    options = parser.parse_args()
    embedded()
    if options.data is not None:
        k1 = [float(value) for value in options.k1.split(",")]
        home_depot(options.data / "home-depot", options.queries, k1)


if __name__ == "__main__":
    main()

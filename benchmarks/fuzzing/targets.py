"""What is fed with mutated input: readers of files, filters, recipes, settings, bundles, models.

A target is made once in a process; a generator decides each input. What comes out
is "accepted" or, as an error of Plait, "refused". Everything else is a fault.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import shutil
import sys
import tomllib
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import tomli_w
from faults.shops import Shop, SqliteShops

import plait
from fuzzing.mutations import mutated_bytes, mutated_value
from plait import models
from plait.errors import PlaitError
from plait.eventlog import EventLog
from plait.eventlog.snapshot import snapshot
from plait.ingest.column_mapping import load_mapping
from plait.ingest.event_reader import read_events
from plait.pipeline.bundle_files import bundle_files, file_hash
from plait.pipeline.pipeline import Pipeline
from plait.pipeline.recipe import load_recipe, recipe_names, recipe_source
from plait.ranking.filters.filter_expression import compile_filter
from plait.ranking.fusion.learned_ranker import TreeRanker
from plait.settings import load_settings

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = ["TARGETS", "Target", "outcome"]

Target = Callable[[random.Random], None]
"""Feeds something with an input that the generator decides; raises what comes out."""


def outcome(target: Target, seed: str) -> str:
    """What becomes of an input: "accepted", "refused", or the fault.

    Args:
        target: What is fed.
        seed: Decides the input.
    """
    try:
        target(random.Random(seed))
    except PlaitError as refusal:
        return "refused" if refusal.message else f"a refusal without words: {refusal!r}"
    except Exception as problem:  # noqa: BLE001  whatever comes out is looked at
        frames = traceback.extract_tb(problem.__traceback__)
        place = [frame for frame in frames if f"{os.sep}plait{os.sep}" in frame.filename][-1:]
        return f"{type(problem).__name__} in {place[0].name if place else 'no code of Plait'}"
    return "accepted"


ROWS = [
    {
        "id": f"e{n}",
        "user": f"u{n % 7}",
        "item": f"i{n % 5}",
        "kind": ("view", "purchase", "cart")[n % 3],
        "time": f"2026-03-{n + 1:02}T10:00:00Z",
        "value": n * 1.5,
        "note": f"färg, “röd” {n}",
    }
    for n in range(24)
]


def _texts() -> dict[str, bytes]:
    """The rows in every format of text."""
    frame = pl.DataFrame(ROWS)
    array = json.dumps(ROWS).encode()
    return {
        ".csv": frame.write_csv().encode(),
        ".tsv": frame.write_csv(separator="\t").encode(),
        ".jsonl": frame.write_ndjson().encode(),
        ".json": array,
    }


def _parquet() -> bytes:
    buffer = io.BytesIO()
    pl.DataFrame(ROWS).with_columns(pl.col("kind").cast(pl.Categorical)).write_parquet(buffer)
    return buffer.getvalue()


def files(scratch: Path) -> Target:
    """Files of events, items, users and facts; of packed ones the content or the frame is hurt."""
    seeds = {**_texts(), ".parquet": _parquet()}
    pack = {"": bytes, ".gz": gzip.compress, ".zst": zstd.compress}
    mappings: list[Any] = [None, {"events": {"delimiter": ";"}}, {"decimal": ","}]

    def read(rng: random.Random) -> None:
        suffix = rng.choice(list(seeds))
        packing = rng.choice(("", "", "", "", ".gz", ".zst"))
        content = pack[packing](mutated_bytes(seeds[suffix], rng))
        if packing and rng.random() < 0.5:
            content = mutated_bytes(pack[packing](seeds[suffix]), rng)
        path = scratch / f"rows{suffix}{packing}"
        path.write_bytes(content)
        kind = rng.choice(("events", "events", "items", "users", "facts"))
        for batch in read_events(path, kind, rng.choice(mappings)):
            list(batch.events)

    return read


def imports(scratch: Path) -> Target:
    """Whole imports of such files into a log, which has to hold what the result counts."""
    seeds = _texts()
    shop = Shop(scratch / "imports")
    workspace = shop.open()

    def store(rng: random.Random) -> None:
        suffix = rng.choice(list(seeds))
        path = scratch / f"import{suffix}"
        path.write_bytes(mutated_bytes(seeds[suffix], rng))
        before = workspace._log.version
        workspace.ingest(**{rng.choice(("events", "items", "users")): path})
        assert workspace._log.version >= before

    return store


FIELDS = ("category", "price", "title", "serial", "tags", "place", "unknown", "`price`")
VALUES = ('"lamps"', '"red"', "20", "2.5", "-1e9", "true", "null", '""', "price", '"Ω"', "[1, 2]")
OPERATORS = ("==", "!=", "<", "<=", ">", ">=", "in", "not in", "contains")


def _expression(rng: random.Random, depth: int) -> str:
    """A filter that mostly parses; it need not fit the fields."""
    kind = rng.randrange(8 if depth else 5)
    if kind < 4:
        return f"{rng.choice(FIELDS)} {rng.choice(OPERATORS)} {rng.choice(VALUES)}"
    if kind == 4:
        values = ", ".join(rng.choice(VALUES) for _ in range(rng.randrange(6)))
        return f"{rng.choice(FIELDS)} in [{values}]"
    if kind == 5:
        return f"not ({_expression(rng, depth - 1)})"
    if kind == 6:
        return f"distance(place, {rng.choice(VALUES)}, 13.4) < {rng.choice(VALUES)}"
    joined = rng.choice((" and ", " or "))
    return joined.join(_expression(rng, depth - 1) for _ in range(rng.randint(2, 5)))


def filters(scratch: Path) -> Target:
    """Filter expressions, on the catalogue of a shop."""
    with EventLog.open(str(SqliteShops(scratch / "filters").new().home)) as log:
        catalogue = snapshot(log).catalogue

    def match(rng: random.Random) -> None:
        text = _expression(rng, rng.randrange(4))
        if rng.random() < 0.4:
            text = mutated_bytes(text.encode(), rng).decode("utf-8", "replace")
        compile_filter(text[:10_000]).mask(catalogue)

    return match


def recipes(scratch: Path) -> Target:
    """Recipes: their text, or a value in them; what is accepted is built."""
    sources = {name: recipe_source(name) for name in recipe_names()}
    tables = {name: tomllib.loads(source) for name, source in sources.items()}
    path = scratch / "fuzzed.toml"

    def build(rng: random.Random) -> None:
        name = rng.choice(list(sources))
        content = _toml(tables[name], sources[name], rng)
        path.write_bytes(content)
        Pipeline.build(load_recipe(path))

    return build


MAPPING: dict[str, Any] = {
    "decimal": ",",
    "timezone": "Europe/Berlin",
    "events": {
        "user": "Kunde",
        "item": "Artikel",
        "time": "Datum",
        "time_format": ["%d.%m.%Y %H:%M", "%Y-%m-%d"],
        "kind": "Art",
        "kinds": {"Kauf": "purchase"},
    },
    "items": {"id": "Artikel", "fields": {"lager.verfuegbar": "available", "name.de": "title"}},
}


def mappings(scratch: Path) -> Target:
    """Mappings: their text, or a value in them; what is accepted reads a file."""
    path = scratch / "mapping.toml"
    source = tomli_w.dumps(MAPPING)
    rows = scratch / "mapped.csv"
    rows.write_text("Kunde;Artikel;Datum;Art\nk1;a1;03.02.2026 10:00;Kauf\nk2;a2;2026-02-03;x\n")

    def read(rng: random.Random) -> None:
        path.write_bytes(_toml(MAPPING, source, rng))
        load_mapping(path)
        for batch in read_events(rows, "events", path):
            list(batch.events)

    return read


SETTINGS: dict[str, Any] = {
    "port": 8000,
    "workers": 2,
    "read_keys": ["key-that-reads-and-is-long"],
    "cors_origins": ["https://shop.example"],
    "webhook_urls": ["https://hooks.example/plait"],
    "body_limit": 1 << 20,
    "log_level": "info",
    "impressions": True,
    "recipe": "shop",
}


def settings(scratch: Path) -> Target:
    """The file of settings."""
    home = scratch / "settings"
    home.mkdir()
    source = tomli_w.dumps(SETTINGS)
    file = home / "plait.toml"

    def load(rng: random.Random) -> None:
        file.write_bytes(_toml(SETTINGS, source, rng))
        file.chmod(0o600)
        load_settings(home)

    return load


def bundles(scratch: Path) -> Target:
    """Files of a bundle, half of them with a hash that fits; what is accepted answers a query."""
    shop = SqliteShops(scratch / "bundles").new()
    (bundle,) = [path for path in (shop.home / "bundles").iterdir() if path.is_dir()]
    whole = scratch / "whole"
    shutil.copytree(bundle, whole)
    names = sorted(path.relative_to(whole) for path in whole.rglob("*") if path.is_file())
    manifest = json.loads((whole / "manifest.json").read_text())

    def ask(rng: random.Random) -> None:
        shutil.rmtree(bundle)
        shutil.copytree(whole, bundle)
        target = bundle / rng.choice(names)
        if target.name == "manifest.json" and rng.random() < 0.7:
            target.write_text(json.dumps(mutated_value(manifest, rng)))
        else:
            target.write_bytes(mutated_bytes(target.read_bytes(), rng))
            if rng.random() < 0.8:
                paths = bundle_files(bundle)
                hashes = {str(path.relative_to(bundle)): file_hash(path) for path in paths}
                (bundle / "manifest.json").write_text(json.dumps({**manifest, "files": hashes}))
        with shop.open() as workspace:
            workspace.recommend("user7", k=5)
            workspace.search("red lamp", k=5)
            workspace.similar("item-3", k=5)

    return ask


def saved(scratch: Path) -> Target:
    """Folders of saved models, with hashes that fit; what is accepted has answered a query."""
    whole, folder = scratch / "model", scratch / "copy"
    models.ItemKNN().fit(plait.Dataset.of(pl.DataFrame(ROWS))).save(whole)
    manifest = json.loads((whole / "model.json").read_text())
    names = sorted(manifest["files"])

    def load(rng: random.Random) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(whole, folder)
        changed = manifest
        if rng.random() < 0.3:
            changed = mutated_value(manifest, rng)
        else:
            name = rng.choice(names)
            (folder / name).write_bytes(mutated_bytes((folder / name).read_bytes(), rng))
            hashes = {**manifest["files"], name: file_hash(folder / name)}
            changed = {**manifest, "files": hashes}
        (folder / "model.json").write_text(json.dumps(changed))
        models.load(folder)

    return load


def trees(_scratch: Path) -> Target:
    """Texts of boosted trees; what is accepted is evaluated by LightGBM (extra `lightgbm`)."""
    import lightgbm

    rng = np.random.default_rng(0)
    features = rng.random((400, 6)).astype(np.float32)
    options = {"objective": "lambdarank", "verbose": -1, "num_leaves": 7, "num_threads": 1}
    data = lightgbm.Dataset(features, features[:, 0] > 0.5, group=[40] * 10, params=options)
    text = lightgbm.train(options, data, 8).model_to_string()

    def evaluate(rng: random.Random) -> None:
        changed = mutated_bytes(text.encode(), rng).decode("utf-8", "replace")
        TreeRanker(("a", "b"), changed, 8, {}).adjustments(features)

    return evaluate


def archives(scratch: Path) -> Target:
    """Exported bundles, taken over by a shop on the same log."""
    shop = SqliteShops(scratch / "archives").new()
    buffer = io.BytesIO()
    with shop.open() as workspace:
        workspace.export_bundle(buffer)
    workspace = shop.open()

    def take_over(rng: random.Random) -> None:
        bundle = workspace.import_bundle(
            io.BytesIO(mutated_bytes(buffer.getvalue(), rng)), use=False
        )
        shutil.rmtree(shop.home / "bundles" / bundle, ignore_errors=True)

    return take_over


def _toml(table: Mapping[str, Any], source: str, rng: random.Random) -> bytes:
    """The text with mutated bytes, or of a mutated value."""
    if rng.random() < 0.5:
        return mutated_bytes(source.encode(), rng)
    changed = dict(table)
    for _ in range(rng.choice((1, 1, 2, 4))):
        value = mutated_value(changed, rng)
        changed = value if isinstance(value, dict) else changed
    try:
        return tomli_w.dumps(changed).encode("utf-8", "replace")
    except (TypeError, ValueError, AttributeError):
        return mutated_bytes(source.encode(), rng)


TARGETS: dict[str, tuple[Callable[[Path], Target], float]] = {
    "filters": (filters, 0.5),
    "trees": (trees, 0.1),
    "recipes": (recipes, 0.11),
    "files": (files, 0.1),
    "mappings": (mappings, 0.1),
    "settings": (settings, 0.07),
    "saved": (saved, 0.01),
    "imports": (imports, 0.006),
    "archives": (archives, 0.003),
    "bundles": (bundles, 0.001),
}
"""Each target and its share of the cases."""

"""The data sets of `everywhere.py` and `fusion_methods.py`, as tables with canonical columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

__all__ = ["DATA_SETS", "PublicSet", "Source", "anonymised"]

Source = Mapping[str, Any]
"""What `Workspace.ingest` takes: `events`, perhaps `items` and `map`."""

_BOTH = ("leave-one-out", "time")
_DAY = 86_400


@dataclass(frozen=True, slots=True)
class PublicSet:
    """A public data set with the protocols that it allows.

    Attributes:
        folder: Its folder below the data folder.
        read: Reads the tables from that folder.
        protocols: The protocols.
        days: The length of the test window in days; None: as the protocol decides.
        published: By protocol, the best published single model: its name, Recall@10 and NDCG@10.
    """

    folder: str
    read: Callable[[Path], Source]
    protocols: tuple[str, ...] = _BOTH
    days: float | None = None
    published: Mapping[str, tuple[str, float, float]] = field(default_factory=dict)


def _parquet(name: str, event: str, items: str = "", **columns: str) -> Callable[[Path], Source]:
    """A reader of parquet files with events of one type; `columns` name their columns."""

    def read(folder: Path) -> Source:
        events = _renamed(pl.read_parquet(folder / name), columns)
        source = {"events": events.with_columns(event=pl.lit(event))}
        if items:
            source["items"] = _items(pl.read_parquet(folder / items))
        return source

    return read


def _renamed(events: pl.DataFrame, columns: Mapping[str, str]) -> pl.DataFrame:
    """The columns that are named, under their canonical names."""
    return events.select(pl.col(name).alias(canonical) for canonical, name in columns.items())


def _items(items: pl.DataFrame) -> pl.DataFrame:
    """A catalogue whose first column is the item."""
    return items.rename({items.columns[0]: "item"})


def _online_retail(folder: Path) -> Source:
    columns = {"user": "CustomerID", "item": "StockCode", "time": "InvoiceDate"}
    events = _renamed(pl.read_parquet(folder / "events.parquet"), columns)
    items = _items(pl.read_parquet(folder / "items.parquet")).rename({"Description": "title"})
    return {"events": events.with_columns(event=pl.lit("purchase")), "items": items}


def _movielens_100k(folder: Path) -> Source:
    names = ["user", "item", "value", "time"]
    events = pl.read_csv(folder / "u.data", separator="\t", has_header=False, new_columns=names)
    genres = [line.split("|")[0] for line in (folder / "u.genre").read_text().splitlines() if line]
    lines = (folder / "u.item").read_text(encoding="latin1").splitlines()
    films = [line.split("|") for line in lines]
    rows = {
        "item": [film[0] for film in films],
        "title": [film[1] for film in films],
        "genres": [
            [genre for genre, flag in zip(genres, film[5:], strict=True) if flag == "1"]
            for film in films
        ],
    }
    return {"events": events.with_columns(event=pl.lit("rating")), "items": pl.DataFrame(rows)}


def _movielens_small(folder: Path) -> Source:
    columns = {"user": "userId", "item": "movieId", "value": "rating", "time": "timestamp"}
    films = _items(pl.read_csv(folder / "movies.csv")).with_columns(
        genres=pl.col("genres").replace("(no genres listed)", None).str.split("|")
    )
    ratings = _renamed(pl.read_csv(folder / "ratings.csv"), columns)
    return {"events": ratings.with_columns(event=pl.lit("rating")), "items": films}


def _movielens_1m(folder: Path) -> Source:
    """The films with five ratings or more, as the published figures have them."""
    columns = {"user": "user_id", "item": "movie_id", "value": "rating", "position": "position"}
    events = _renamed(pl.read_parquet(folder / "interactions.parquet"), columns)
    events = events.filter(pl.col("position") >= 0).with_columns(event=pl.lit("rating"))
    films = _items(pl.read_parquet(folder / "movies.parquet")).with_columns(
        genres=pl.col("genres").str.split("|")
    )
    rated = events["item"].unique().cast(pl.String).implode()
    return {"events": events, "items": films.filter(pl.col("item").is_in(rated))}


def _deskdrop(folder: Path) -> Source:
    columns = {"user": "user_id", "item": "item_id", "time": "timestamp", "event": "event_type"}
    events = _renamed(pl.read_csv(folder / "interactions.csv"), columns)
    kind = pl.col("event").str.to_lowercase().replace("comment created", "comment")
    return {"events": events.with_columns(event=kind)}


def _lastfm(folder: Path) -> Source:
    columns = {"user": "userID", "item": "artistID", "value": "weight"}
    plays = pl.read_csv(folder / "user_artists.dat", separator="\t")
    artists = pl.read_csv(folder / "artists.dat", separator="\t", quote_char=None)
    items = _items(artists.select("id", "name")).rename({"name": "title"})
    return {"events": _renamed(plays, columns).with_columns(event=pl.lit("listen")), "items": items}


def _gift_cards(folder: Path) -> Source:
    columns = {"user": "reviewerID", "item": "asin", "value": "overall", "time": "unixReviewTime"}
    events = _renamed(pl.read_ndjson(folder / "Gift_Cards_5.json"), columns)
    names = ["asin", "title", "brand", "category", "description"]
    items = pl.read_ndjson(folder / "meta_Gift_Cards.json", infer_schema_length=None)
    catalogue = _items(items.select(names).unique("asin", keep="first", maintain_order=True))
    return {"events": events.with_columns(event=pl.lit("rating")), "items": catalogue}


def _diginetica(folder: Path) -> Source:
    """The training sessions, each a user; their last views are the targets."""
    sessions = pl.read_parquet(folder / "train_sessions.parquet").with_row_index("user")
    views = sessions.with_columns(position=pl.int_ranges(pl.col("session").list.len()))
    events = views.explode("session", "position").rename({"session": "item"})
    return {"events": events.with_columns(event=pl.lit("view"))}


def _trivago(folder: Path) -> Source:
    """Views of hotels and clicks to their offers; each session is a user."""
    columns = {"user": "session_id", "item": "reference", "time": "timestamp"}
    actions = pl.read_parquet(folder / "sessions.parquet")
    of_hotels = actions.filter(
        pl.col("action_type").str.contains(" item") & pl.col("reference").str.contains(r"^\d+$")
    )
    is_click = of_hotels["action_type"] == "clickout item"
    event = pl.when(is_click).then(pl.lit("click")).otherwise(pl.lit("view"))
    return {"events": _renamed(of_hotels, columns).with_columns(event=event)}


_AMAZON = {"user": "reviewerID", "item": "asin", "value": "overall", "time": "unixReviewTime"}
_BEAUTY = {"user": "user_id", "item": "item_id"}
_BEAUTY_FILES = ("interactions_with_time.parquet", "purchase", "items.parquet")
_TWEETS = {"user": "user", "item": "movie", "value": "rating", "time": "ts"}

DATA_SETS: Mapping[str, PublicSet] = {
    "amazon-beauty": PublicSet(
        "amazon-beauty",
        _parquet(*_BEAUTY_FILES, **_BEAUTY, position="position", day="unix_time"),
        ("leave-one-out",),
        published={"leave-one-out": ("WEARec", 0.1041, 0.0614)},
    ),
    "amazon-beauty-with-times": PublicSet(
        "amazon-beauty",
        _parquet(*_BEAUTY_FILES, **_BEAUTY, time="unix_time"),
        ("time",),
        days=28,
    ),
    "ml-1m": PublicSet(
        "ml-1m",
        _movielens_1m,
        ("leave-one-out",),
        published={"leave-one-out": ("SIGMA", 0.3084, 0.1766)},
    ),
    "online-retail": PublicSet("online-retail", _online_retail, days=28),
    "ml-100k": PublicSet("ml-100k", _movielens_100k, days=28),
    "ml-latest-small": PublicSet("ml-latest-small", _movielens_small, days=365),
    "movietweetings": PublicSet(
        "movietweetings",
        _parquet("ratings.parquet", "rating", "movies.parquet", **_TWEETS),
        days=28,
    ),
    "deskdrop": PublicSet("deskdrop", _deskdrop, days=28),
    "lastfm-2k": PublicSet("lastfm-2k", _lastfm, ("leave-one-out",)),
    "gift-cards": PublicSet("gift-cards", _gift_cards, days=365),
    "amazon-reviews-2018": PublicSet(
        "amazon-reviews-2018", _parquet("reviews.parquet", "rating", **_AMAZON), days=365
    ),
    "trivago": PublicSet("trivago", _trivago),
    "diginetica": PublicSet("diginetica", _diginetica, ("leave-one-out",)),
}
"""The data sets by name."""


def anonymised(source: Source, seed: int = 0) -> Source:
    """The same data without what ids and the order of rows may tell.

    Users and items have new ids in random order, rows are shuffled, and each user's events of one
    day are in random order. Where no days are known, positions stay.

    Args:
        source: The tables.
        seed: The seed of every permutation.

    Returns:
        Tables with the same columns.
    """
    random = np.random.default_rng(seed)
    events = source["events"].sample(fraction=1.0, shuffle=True, seed=seed)
    if {"time", "day"} & set(events.columns):
        events = _shuffled_within_days(events)
    catalogue = source.get("items", pl.DataFrame({"item": pl.Series([], dtype=pl.String)}))
    catalogue = catalogue.with_columns(pl.col("item").cast(pl.String))
    events = events.with_columns(pl.col("user", "item").cast(pl.String))
    users = _new_ids(events["user"], "u", random)
    items = _new_ids(pl.concat([events["item"], catalogue["item"]]), "i", random)
    result = dict(source)
    result["events"] = events.with_columns(
        pl.col("user").replace_strict(users), pl.col("item").replace_strict(items)
    )
    if "items" in source:
        catalogue = catalogue.with_columns(pl.col("item").replace_strict(items))
        result["items"] = catalogue.sample(fraction=1.0, shuffle=True, seed=seed)
    return result


def _shuffled_within_days(events: pl.DataFrame) -> pl.DataFrame:
    """Shuffled rows; those of a user and a day take its times or positions in their new order."""
    column = "position" if "position" in events.columns else "time"
    moment = pl.col("day" if "day" in events.columns else "time")
    is_number = events.select(moment).dtypes[0].is_numeric()
    day = moment // _DAY if is_number else moment.dt.date()
    return (
        events.with_columns(_day=day)
        .with_columns(pl.col(column).sort().over("user", "_day"))
        .drop("_day")
    )


def _new_ids(ids: pl.Series, prefix: str, random: np.random.Generator) -> dict[str, str]:
    """A random new id for each old one."""
    old = ids.unique().sort()
    return {
        name: f"{prefix}{number}"
        for name, number in zip(old, random.permutation(len(old)), strict=True)
    }

"""Public data sets: their official homes, licences and formats."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from plait.datasets.download import RemoteFile
from plait.errors import InputError

__all__ = ["PUBLIC", "PublicDataset"]

Frames = dict[str, pl.DataFrame]
"""The frames `events`, and perhaps `items` and `users`."""

MAX_MEMBER_BYTES = 2 << 30
"""The largest file of an archive, and the largest content of a compressed file, that is read."""


@dataclass(frozen=True, slots=True)
class PublicDataset:
    """A data set that is fetched when it is first used.

    Attributes:
        files: Its files.
        licence: What its licence allows, for people.
        page: The page that describes it.
        read: Makes frames of the paths of the files, in their order.
    """

    files: tuple[RemoteFile, ...]
    licence: str
    page: str
    read: Callable[[Sequence[Path]], Frames]


def _member(path: Path, name: str) -> bytes:
    """A file of a zip archive, by the end of its name."""
    try:
        with zipfile.ZipFile(path) as archive:
            entry = next(
                (info for info in archive.infolist() if info.filename.endswith(name)), None
            )
            if entry is None or entry.file_size > MAX_MEMBER_BYTES:
                raise InputError(f"{path} holds no file {name}", hint="delete it to fetch it again")
            return archive.read(entry)
    except zipfile.BadZipFile as problem:
        hint = "delete it to fetch it again"
        raise InputError(f"{path} is no zip archive: {problem}", hint=hint) from problem


def _unpacked(path: Path) -> bytes:
    """The content of a file that gzip has compressed."""
    with gzip.open(path) as stream:
        content = stream.read(MAX_MEMBER_BYTES + 1)
    if len(content) > MAX_MEMBER_BYTES:
        raise InputError(
            f"{path} holds more than {MAX_MEMBER_BYTES:,} bytes",
            hint="delete it to fetch it again",
        )
    return content


def _rows(content: bytes, separator: str, columns: Sequence[str], encoding: str) -> pl.DataFrame:
    """Lines of fields between separators of any length, as texts; more fields are left out."""
    lines = pl.Series("line", content.decode(encoding).split("\n"), pl.String)
    lines = lines.str.strip_suffix("\r")
    parts = lines.filter(lines != "").str.split(separator)
    return pl.DataFrame(
        {name: parts.list.get(at, null_on_oob=True) for at, name in enumerate(columns)}
    )


def _ratings(frame: pl.DataFrame) -> pl.DataFrame:
    """Ratings with times, from texts and seconds since 1970 UTC."""
    return frame.select(
        "user",
        "item",
        pl.col("rating").cast(pl.Float64),
        pl.from_epoch(pl.col("time").cast(pl.Int64), "s").dt.replace_time_zone("UTC"),
    )


def _movielens_100k(paths: Sequence[Path]) -> Frames:
    (path,) = paths
    events = _rows(_member(path, "/u.data"), "\t", ("user", "item", "rating", "time"), "ascii")
    names = _rows(_member(path, "/u.genre"), "|", ("name",), "latin-1")["name"].to_list()
    columns = ("item", "title", "released", "video", "imdb", *names)
    items = _rows(_member(path, "/u.item"), "|", columns, "latin-1")
    genres = [
        [name for name, flag in zip(names, row, strict=True) if flag == "1" and name != "unknown"]
        for row in items.select(names).iter_rows()
    ]
    users = ("user", "age", "gender", "occupation", "zip_code")
    return {
        "events": _ratings(events),
        "items": items.select("item", "title").with_columns(genres=pl.Series(genres)),
        "users": _rows(_member(path, "/u.user"), "|", users, "latin-1").with_columns(
            pl.col("age").cast(pl.Int64)
        ),
    }


def _movielens_1m(paths: Sequence[Path]) -> Frames:
    (path,) = paths
    events = _rows(_member(path, "/ratings.dat"), "::", ("user", "item", "rating", "time"), "ascii")
    items = _rows(_member(path, "/movies.dat"), "::", ("item", "title", "genres"), "latin-1")
    users = ("user", "gender", "age", "occupation", "zip_code")
    return {
        "events": _ratings(events),
        "items": items.with_columns(pl.col("genres").str.split("|")),
        "users": _rows(_member(path, "/users.dat"), "::", users, "latin-1"),
    }


def _movielens_latest(paths: Sequence[Path]) -> Frames:
    (path,) = paths
    ids = {"userId": pl.String, "movieId": pl.String}
    names = {"userId": "user", "movieId": "item", "timestamp": "time"}
    events, items = (
        pl.read_csv(io.BytesIO(_member(path, name)), schema_overrides=ids).rename(
            names, strict=False
        )
        for name in ("/ratings.csv", "/movies.csv")
    )
    genres = pl.col("genres").replace("(no genres listed)", None).str.split("|")
    return {"events": _ratings(events), "items": items.with_columns(genres)}


def _movietweetings(paths: Sequence[Path]) -> Frames:
    ratings, movies = (path.read_bytes() for path in paths)
    events = _rows(ratings, "::", ("user", "item", "rating", "time"), "utf-8")
    items = _rows(movies, "::", ("item", "title", "genres"), "utf-8")
    genres = pl.col("genres").replace("", None).str.split("|")
    return {"events": _ratings(events), "items": items.with_columns(genres)}


def _amazon_reviews(paths: Sequence[Path]) -> Frames:
    (path,) = paths
    names = {"reviewerID": "user", "asin": "item", "overall": "rating", "unixReviewTime": "time"}
    kinds = {"reviewerID": pl.String, "asin": pl.String, "overall": pl.Float64}
    rows = pl.read_ndjson(_unpacked(path), schema={**kinds, "unixReviewTime": pl.Int64})
    return {"events": _ratings(rows.rename(names))}


_GROUPLENS = "https://files.grouplens.org/datasets/movielens"
_GROUPLENS_LICENCE = (
    "GroupLens: for research; no commercial use and no redistribution without permission; cite "
    "Harper and Konstan (2015)"
)
_TWEETS = "https://raw.githubusercontent.com/sidooms/MovieTweetings/master/latest"
_AMAZON = "https://snap.stanford.edu/data/amazon/productGraph/categoryFiles"

PUBLIC: Mapping[str, PublicDataset] = {
    "amazon-beauty": PublicDataset(
        (RemoteFile(f"{_AMAZON}/reviews_Beauty_5.json.gz"),),
        "Amazon reviews 2014: for research, not to be redistributed; cite McAuley et al. (2015)",
        "https://jmcauley.ucsd.edu/data/amazon/",
        _amazon_reviews,
    ),
    "movielens-100k": PublicDataset(
        (
            RemoteFile(
                f"{_GROUPLENS}/ml-100k.zip",
                "50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229",
            ),
        ),
        _GROUPLENS_LICENCE,
        "https://grouplens.org/datasets/movielens/100k/",
        _movielens_100k,
    ),
    "movielens-1m": PublicDataset(
        (
            RemoteFile(
                f"{_GROUPLENS}/ml-1m.zip",
                "a6898adb50b9ca05aa231689da44c217cb524e7ebd39d264c56e2832f2c54e20",
            ),
        ),
        _GROUPLENS_LICENCE,
        "https://grouplens.org/datasets/movielens/1m/",
        _movielens_1m,
    ),
    "movielens-latest-small": PublicDataset(
        (
            RemoteFile(
                f"{_GROUPLENS}/ml-latest-small.zip",
                "696d65a3dfceac7c45750ad32df2c259311949efec81f0f144fdfb91ebc9e436",
            ),
        ),
        _GROUPLENS_LICENCE,
        "https://grouplens.org/datasets/movielens/latest/",
        _movielens_latest,
    ),
    "movietweetings": PublicDataset(
        (RemoteFile(f"{_TWEETS}/ratings.dat"), RemoteFile(f"{_TWEETS}/movies.dat")),
        "MovieTweetings: MIT, (c) 2013 Simon Dooms",
        "https://github.com/sidooms/MovieTweetings",
        _movietweetings,
    ),
}
"""The data sets by name. GroupLens publishes MD5 sums; the SHA-256 are those of the same files."""

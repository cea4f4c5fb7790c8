"""Data sets by name: Online Retail, which comes with Plait, and public ones that are fetched.

Online Retail: CC BY 4.0, see ATTRIBUTION.md.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable
from importlib.resources import as_file, files
from pathlib import Path

import polars as pl

from plait.datasets.download import fetch
from plait.datasets.public_datasets import PUBLIC
from plait.errors import InputError, NotFoundError

__all__ = ["NAMES", "load"]

NAMES = ("online-retail", *PUBLIC)
"""The names of the data sets."""

_FRAMES = ("events", "items", "users")

_DAMAGE = (
    *(pl.exceptions.PolarsError, pl.exceptions.PanicException, zlib.error),
    *(OSError, EOFError, ValueError, LookupError, NotImplementedError, RuntimeError),
)
"""What reading damaged files may raise: zipfile raises RuntimeError for an encrypted member."""


def _to_stderr(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def load(
    name: str,
    *,
    folder: str | Path | None = None,
    notice: Callable[[str], None] = _to_stderr,
) -> dict[str, pl.DataFrame]:
    """Load a data set; a public one is fetched from its official home the first time.

    Args:
        name: One of `NAMES`.
        folder: Where fetched files stay; None: .cache/plait/datasets in the home folder.
        notice: Called with the licence before a download, and with the hash of a file whose home
            publishes none; by default both are written to standard error.

    Returns:
        The frames `events`, and `items` and `users` where there are such, as `Dataset.of` and
        `Workspace.ingest` take them.

    Raises:
        NotFoundError: If there is no such data set.
        InputError: If a file does not have its hash, or cannot be read.
        StorageError: If a file cannot be fetched or written.

    Example:
        >>> import plait
        >>> plait.Dataset.of(**plait.datasets.load("online-retail")).kcore(50)
        Dataset: 1,751 users, 1,650 items, 295,213 purchase
        2010-12-01 to 2011-12-09; item fields price, title; user fields Country
    """
    if name == "online-retail":
        with as_file(files("plait.datasets") / "online_retail") as source:
            return {kind: pl.read_parquet(source / f"{kind}.parquet") for kind in _FRAMES}
    if name not in PUBLIC:
        raise NotFoundError(f"no data set {name!r}", hint=f"there are {', '.join(NAMES)}")
    dataset = PUBLIC[name]
    home = Path.home() / ".cache" / "plait" / "datasets" if folder is None else Path(folder)
    if not all((home / name / file.name).exists() for file in dataset.files):
        notice(f"{name}: {dataset.licence}; {dataset.page}")
    paths = [fetch(file, home / name, notice) for file in dataset.files]
    try:
        return dataset.read(paths)
    except _DAMAGE as problem:
        raise InputError(
            f"{name} cannot be read: {problem}", hint=f"delete {home / name} to fetch it again"
        ) from problem

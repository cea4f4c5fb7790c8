"""Files of bundles: hashes, checks, and writing that leaves nothing half done."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from plait.errors import BundleError, StorageError

__all__ = [
    "bundle_files",
    "check_hashes",
    "file_hash",
    "removed_on_failure",
    "storing_bundles",
    "sync_files",
    "sync_folder",
]


@contextmanager
def storing_bundles(root: Path) -> Iterator[None]:
    """Turn what the disk refuses into a StorageError.

    Args:
        root: The folder of the bundles.

    Raises:
        StorageError: If a file cannot be written.
    """
    try:
        yield
    except OSError as problem:
        raise StorageError(
            f"a bundle cannot be written to {root}: {problem.strerror or problem}",
            hint="free some space and fit again; the bundle in use is intact",
        ) from problem


@contextmanager
def removed_on_failure(draft: Path) -> Iterator[None]:
    """Remove a file or folder if what follows fails.

    Args:
        draft: The file or folder.
    """
    try:
        yield
    except BaseException:
        if draft.is_dir():
            shutil.rmtree(draft, ignore_errors=True)
        else:
            draft.unlink(missing_ok=True)
        raise


def bundle_files(folder: Path) -> list[Path]:
    """Return the files of a bundle.

    Args:
        folder: The folder of the bundle.

    Returns:
        The files below it, sorted.
    """
    return sorted(path for path in folder.rglob("*") if path.is_file())


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file.

    Args:
        path: The file.

    Returns:
        The hexadecimal digest.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_hashes(folder: Path, expected: Mapping[str, str]) -> None:
    """Check that the files of a bundle are as they were written.

    Args:
        folder: The folder of the bundle.
        expected: The hash of every file by its path in the folder.

    Raises:
        BundleError: If a file is missing or has another hash.
    """
    for name, digest in expected.items():
        path = folder / name
        if not path.is_file():
            raise BundleError(f"bundle {folder.name} lacks {name}", hint="fit again")
        if file_hash(path) != digest:
            raise BundleError(f"bundle {folder.name}: {name} is damaged", hint="fit again")


def sync_files(folder: Path) -> None:
    """Wait until the files of a bundle are on disk.

    Args:
        folder: The folder of the bundle.
    """
    for path in bundle_files(folder):
        with path.open("rb") as file:
            os.fsync(file.fileno())
    for subfolder in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
        sync_folder(subfolder)


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on disk.

    Args:
        folder: The folder.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

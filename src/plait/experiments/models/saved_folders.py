"""The folders of saved models: their manifest, and how a new one replaces an old one."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from plait import __version__
from plait.errors import BundleError, InputError, StorageError
from plait.pipeline.bundle_files import bundle_files, file_hash, removed_on_failure
from plait.utils.toml_json import parse_json

__all__ = ["FUSION", "read_manifest", "replace_folder", "write_folder"]

FUSION = "Fusion"
"""What the manifest of a fusion names in place of a model."""

_MANIFEST = "model.json"
_FORMAT = "plait model"
_VERSION = 1
"""Raised when a folder of today cannot be read any more."""

_FOLDERS = ("stage", "dataset")
"""The folders of a manifest that names none."""

_KEYS = {
    "format": str,
    "version": int,
    "plait": str,
    "model": str,
    "settings": dict,
    "event_weights": dict,
    "notes": dict,
    "files": dict,
}


def write_folder(path: str | Path, write: Callable[[Path], Mapping[str, Any]]) -> None:
    """Write a saved model, with a manifest, in the place of an earlier one.

    Args:
        path: The folder. It may hold a saved model, which is replaced, or nothing.
        write: Writes everything but the manifest into an empty folder, and returns entries of the
            manifest: model, settings, event_weights and notes.

    Raises:
        InputError: If the folder holds any other file.
        StorageError: If the folder cannot be written.
    """
    folder = Path(path).resolve()
    if folder.exists():
        _check_replaceable(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        with removed_on_failure(draft):
            manifest = {
                "format": _FORMAT,
                "version": _VERSION,
                "plait": __version__,
                **write(draft),
                "folders": [
                    path.relative_to(draft).as_posix()
                    for path in sorted(draft.rglob("*"))
                    if path.is_dir()
                ],
                "files": {
                    file.relative_to(draft).as_posix(): file_hash(file)
                    for file in bundle_files(draft)
                },
            }
            (draft / _MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
            replace_folder(folder, draft)
    except OSError as problem:
        reason = problem.strerror or problem
        raise StorageError(f"the model cannot be written to {folder}: {reason}") from problem


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read the manifest of a saved model.

    Args:
        folder: The folder.

    Returns:
        The manifest; all entries are there and of the right type.

    Raises:
        BundleError: If the folder is no saved model, or of another version.
    """
    if not (folder / _MANIFEST).is_file():
        raise BundleError(
            f"{folder} is no saved model: it has no {_MANIFEST}",
            hint="name a folder that fitted.save(folder) wrote",
        )
    try:
        manifest = parse_json((folder / _MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise BundleError(f"{folder}: cannot read {_MANIFEST}: {problem}") from problem
    if not isinstance(manifest, dict) or manifest.get("format") != _FORMAT:
        raise BundleError(f"{folder}: {_MANIFEST} is not that of a saved model")
    if manifest.get("version") != _VERSION:
        raise BundleError(
            f"{folder} has the format version {manifest.get('version')!r}, expected {_VERSION}",
            hint="load it with the version of Plait that saved it, or fit again",
        )
    for key, kind in _KEYS.items():
        if not isinstance(manifest.get(key), kind):
            raise BundleError(f"{folder}: {key} in {_MANIFEST} is no {kind.__name__}")
    unsafe = [name for name in manifest["files"] if Path(name).is_absolute() or ".." in name]
    if unsafe:
        raise BundleError(f"{folder}: {_MANIFEST} names the file {unsafe[0]!r}")
    return manifest


def _saved_files(folder: Path) -> list[str]:
    """The files and folders of a saved model, as paths in its folder; none if there is no model."""
    try:
        manifest = parse_json((folder / _MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    if not isinstance(manifest, dict) or manifest.get("format") != _FORMAT:
        return []
    files, folders = manifest.get("files"), manifest.get("folders", _FOLDERS)
    if not isinstance(files, dict) or not isinstance(folders, list | tuple):
        return []
    return [*files, _MANIFEST, *map(str, folders)]


def _check_replaceable(folder: Path) -> None:
    """Raise InputError if a path holds anything but the files of a saved model."""
    hint = "name a new folder"
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder", hint=hint, field="path")
    expected = {Path(name) for name in _saved_files(folder)}
    expected |= {parent for path in expected for parent in path.parents}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if name not in expected:
            message = f"{folder} holds {name.as_posix()!r}, which is no part of a saved model"
            raise InputError(message, hint=hint, field="path")


def replace_folder(folder: Path, draft: Path) -> None:
    """Put a finished folder in the place of another, which goes once the new one stands.

    A folder that exists stays the same folder, with other entries: it may be the current one.

    Args:
        folder: An absolute path.
        draft: The finished folder, beside it; it is gone afterwards.

    Raises:
        OSError: If a file cannot be moved; then the folder is as it was.
    """
    if not folder.exists():
        draft.chmod(0o755)
        draft.rename(folder)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{folder.name}-old-", dir=folder.parent))
    moved: list[tuple[Path, Path]] = []
    try:
        for source, target in ((folder, old), (draft, folder)):
            for entry in sorted(source.iterdir()):
                entry.rename(target / entry.name)
                moved.append((entry, target / entry.name))
    except BaseException:
        for before, now in reversed(moved):
            now.rename(before)
        old.rmdir()
        raise
    draft.rmdir()
    shutil.rmtree(old, ignore_errors=True)

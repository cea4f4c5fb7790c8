"""Replaces the folder of a saved model by a new one, and nothing else."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Collection
from pathlib import Path

from plait.errors import InputError

__all__ = ["check_replaceable", "replace_folder"]


def check_replaceable(folder: Path, files: Collection[str] | None) -> None:
    """Check that a folder holds nothing but the files of a saved model.

    Args:
        folder: An existing path.
        files: The files of the saved model, as paths in the folder; None: it is no saved model.

    Raises:
        InputError: If there is anything else.
    """
    hint = "name a new folder"
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder", hint=hint, field="path")
    expected = {Path(name) for name in files or ()}
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

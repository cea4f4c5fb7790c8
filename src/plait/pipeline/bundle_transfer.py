"""Bundles as one file: written from one home, checked and put in place in another."""

from __future__ import annotations

import re
import shutil
import tarfile
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

from plait.errors import BundleError
from plait.pipeline.bundle_files import (
    bundle_files,
    check_hashes,
    removed_on_failure,
    storing_bundles,
    sync_files,
    sync_folder,
)
from plait.pipeline.bundle_store import BundleStore

__all__ = ["export_bundle", "import_bundle"]

_ID = re.compile(r"[0-9]{8}T[0-9]{12}-[0-9a-f]{6}")
_HINT = "plait bundle export writes one"


def export_bundle(bundles: BundleStore, bundle: str, out: IO[bytes]) -> None:
    """Write a bundle as a tar archive, after its files were checked.

    Args:
        bundles: The bundles of the home.
        bundle: The id of the bundle.
        out: The archive; it is written from front to back, so it may be a pipe.

    Raises:
        BundleError: If the bundle is damaged.
    """
    folder = bundles.root / bundle
    names = bundles.manifest(bundle)["files"]
    check_hashes(folder, names)
    with tarfile.open(fileobj=out, mode="w|") as archive:
        for name in ("manifest.json", *names):  # not the lock files of processes that use it
            archive.add(folder / name, arcname=name, recursive=False)


def import_bundle(
    bundles: BundleStore,
    archive: IO[bytes],
    check: Callable[[str, Mapping[str, Any]], None],
) -> str:
    """Put a bundle in place that `export_bundle` wrote; it is not yet in use.

    Args:
        bundles: The bundles of the home.
        archive: The archive; it is read from front to back, so it may be a pipe.
        check: Raises BundleError for the id and the manifest of a bundle of another log.

    Returns:
        The id of the bundle. A bundle that is there already is left as it is.

    Raises:
        BundleError: If the archive is damaged, or `check` refuses the bundle.
        StorageError: If the bundle cannot be written; nothing of it stays.
    """
    draft = bundles.root / f".draft-import-{uuid.uuid4().hex}"
    with storing_bundles(bundles.root), removed_on_failure(draft):
        draft.mkdir(parents=True)
        _extract(archive, draft)
        if not (draft / "manifest.json").is_file():
            raise BundleError("the archive has no manifest", hint=_HINT)
        manifest = bundles.manifest(draft.name)
        bundle = str(manifest.get("id", ""))
        if not _ID.fullmatch(bundle):
            raise BundleError(f"the archive names {bundle!r}, which is no id of a bundle")
        names = {path.relative_to(draft).as_posix() for path in bundle_files(draft)}
        if unknown := sorted(names - manifest["files"].keys() - {"manifest.json"}):
            raise BundleError(f"the archive holds {unknown[0]!r}, which its manifest does not name")
        try:
            check_hashes(draft, manifest["files"])
        except BundleError as problem:
            message = problem.message.replace(draft.name, bundle)
            raise BundleError(message, hint="export it again: the copy is damaged") from problem
        check(bundle, manifest)
        sync_files(draft)
        _place(draft, bundles.root / bundle)
        sync_folder(bundles.root)
    return bundle


def _extract(archive: IO[bytes], folder: Path) -> None:
    try:
        with tarfile.open(fileobj=archive, mode="r|") as members:
            for member in members:
                if not member.isfile():
                    raise BundleError(f"the archive holds {member.name!r}, which is no file")
                members.extract(member, folder, filter="data")
    except (tarfile.TarError, EOFError) as problem:
        raise BundleError(
            f"this is no whole archive of a bundle: {problem}", hint=_HINT
        ) from problem


def _place(draft: Path, folder: Path) -> None:
    """Rename the draft, unless the bundle is there already."""
    if folder.exists():
        shutil.rmtree(draft)
    else:
        draft.rename(folder)

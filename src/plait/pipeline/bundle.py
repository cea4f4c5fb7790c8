"""A fitted pipeline on disk: `bundles/<id>/`, and a file `current` that names the one in use.

A bundle is written beside the others, synced, and put in place by one rename; a reader sees a whole
bundle or none. Its manifest holds the hash of every file: a damaged one is refused with a reason.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from plait.errors import BundleError, NotReadyError, PlaitError, RecipeError, StorageError
from plait.pipeline.pipeline import Pipeline
from plait.pipeline.recipe import Recipe
from plait.pipeline.stage import Stage

__all__ = ["SCHEMA", "BundleStore"]

SCHEMA = 2
"""The version of the layout; a bundle of a later one is refused."""

KEPT = 3
"""How many bundles stay."""


class BundleStore:
    """The bundles of one home. `owner` is the identity of its log; foreign bundles are refused."""

    def __init__(self, root: Path, owner: str = "") -> None:
        self.root = root
        self.owner = owner

    def current(self) -> str:
        """The id of the bundle in use, "" if there is none yet."""
        try:
            return (self.root / "current").read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return ""

    def ids(self) -> list[str]:
        """All bundles, oldest first."""
        if not self.root.is_dir():
            return []
        names = (one.name for one in self.root.iterdir() if (one / "manifest.json").is_file())
        return sorted(name for name in names if not name.startswith("."))

    def save(self, pipeline: Pipeline, notes: dict[str, Any] | None = None) -> str:
        """Write a fitted pipeline and return its id; `use` makes it the current one.

        Raises StorageError where it cannot be written; nothing of it stays then.
        """
        made = datetime.now(UTC)
        bundle = f"{made:%Y%m%dT%H%M%S%f}-{uuid.uuid4().hex[:6]}"
        draft = self.root / f".draft-{bundle}"
        with _writing(self.root), _removed_on_failure(draft):
            draft.mkdir(parents=True)
            for stage in pipeline.stages:
                folder = draft / stage.name
                folder.mkdir()
                stage.save(folder)
            manifest = {
                "format": "plait-bundle",
                "schema": SCHEMA,
                "id": bundle,
                "owner": self.owner,
                "made": made.isoformat(),
                "version": pipeline.version,
                "recipe": pipeline.recipe.to_dict(),
                "notes": notes or {},
                "files": _hashes(draft),
            }
            (draft / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")
            _sync(draft)
            draft.rename(self.root / bundle)
            _sync_folder(self.root)
        return bundle

    def use(self, bundle: str) -> None:
        """Make `bundle` the current one, by one rename; drop all but the last few."""
        self.manifest(bundle)
        draft = self.root / f".current-{uuid.uuid4().hex}"
        with _writing(self.root), _removed_on_failure(draft):
            with draft.open("w", encoding="utf-8") as out:
                out.write(bundle + "\n")
                out.flush()
                os.fsync(out.fileno())
            draft.replace(self.root / "current")
            _sync_folder(self.root)
        self._tidy(bundle)

    def manifest(self, bundle: str) -> dict[str, Any]:
        """What a bundle says of itself; BundleError if it is foreign, newer or unreadable."""
        path = self.root / bundle / "manifest.json"
        try:
            found: Any = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as problem:
            raise BundleError(f"bundle {bundle!r} has no readable manifest: {problem}") from problem
        if not isinstance(found, dict) or found.get("format") != "plait-bundle":
            raise BundleError(f"{bundle!r} is no bundle of Plait")
        if found.get("schema") != SCHEMA:
            raise BundleError(
                f"bundle {bundle} has layout {found.get('schema')}, this Plait reads {SCHEMA}",
                hint="fit again, or use the Plait that made it",
            )
        lacks = {"files", "recipe", "version"} - found.keys()
        if lacks:
            raise BundleError(f"bundle {bundle} does not say its {min(lacks)}", hint="fit again")
        if self.owner and found.get("owner") not in ("", self.owner):
            raise BundleError(f"bundle {bundle} was fitted on another log", hint="fit again")
        return dict(found)

    def load(self, bundle: str = "", *, check: bool = True) -> Pipeline:
        """The pipeline of a bundle (the current one); `check` compares the hash of every file."""
        bundle = bundle or self.current()
        if not bundle:
            raise NotReadyError("nothing is fitted yet", hint="plait fit --home DIR")
        manifest = self.manifest(bundle)
        folder = self.root / bundle
        if check:
            _compare(folder, manifest["files"])
        try:
            recipe = Recipe.of(manifest["recipe"])
            shells = Pipeline.build(recipe, stored=True)
        except RecipeError as problem:
            raise BundleError(f"bundle {bundle} cannot be built: {problem}") from problem
        loaded = {
            stage.name: _loaded(stage, bundle, folder / stage.name) for stage in shells.stages
        }
        return Pipeline(
            recipe,
            tuple(loaded[stage.name] for stage in shells.models),
            tuple(loaded[stage.name] for stage in shells.steps),
            manifest["version"],
        )

    def _tidy(self, keep: str) -> None:
        """Remove old bundles and the drafts of writers that died more than an hour ago."""
        for old in self.ids()[:-KEPT]:
            if old != keep:
                # Renamed first: a bundle that is half removed must not look like a whole one.
                gone = self.root / f".draft-old-{old}"
                with suppress(FileNotFoundError):  # another process tidies as well
                    (self.root / old).rename(gone)
                shutil.rmtree(gone, ignore_errors=True)
        hour_ago = datetime.now(UTC).timestamp() - 3600
        for draft in self.root.glob(".draft-*"):
            if draft.stat().st_mtime < hour_ago:
                shutil.rmtree(draft, ignore_errors=True)


def _loaded(shell: Stage, bundle: str, folder: Path) -> Stage:
    """The stage as saved. Its hashes are right: what it cannot read is of another code."""
    try:
        return type(shell).load(shell.config, shell.name, folder)
    except PlaitError:
        raise
    except Exception as problem:
        raise BundleError(
            f"bundle {bundle}: {shell.name} cannot read what it saved"
            f" ({type(problem).__name__}: {problem})",
            hint="it was made by another version: fit again",
        ) from problem


@contextmanager
def _writing(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as problem:
        raise StorageError(
            f"a bundle cannot be written to {root}: {problem.strerror or problem}",
            hint="free some space and fit again; the bundle in use is intact",
        ) from problem


@contextmanager
def _removed_on_failure(draft: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        if draft.is_dir():
            shutil.rmtree(draft, ignore_errors=True)
        else:
            draft.unlink(missing_ok=True)
        raise


def _files(folder: Path) -> list[Path]:
    return sorted(one for one in folder.rglob("*") if one.is_file())


def _hashes(folder: Path) -> dict[str, str]:
    return {str(one.relative_to(folder)): _hash(one) for one in _files(folder)}


def _hash(path: Path) -> str:
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def _compare(folder: Path, expected: dict[str, str]) -> None:
    for name, digest in expected.items():
        path = folder / name
        if not path.is_file():
            raise BundleError(f"bundle {folder.name} lacks {name}", hint="fit again")
        if _hash(path) != digest:
            raise BundleError(f"bundle {folder.name}: {name} is damaged", hint="fit again")


def _sync(folder: Path) -> None:
    for path in _files(folder):
        with path.open("rb") as one:
            os.fsync(one.fileno())
    for inner in (folder, *(sub for sub in folder.rglob("*") if sub.is_dir())):
        _sync_folder(inner)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

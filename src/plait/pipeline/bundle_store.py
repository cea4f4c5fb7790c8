"""Fitted pipelines on disk: `bundles/<id>/`, and a file `current` that names the one in use.

A bundle is written to a hidden folder, synced, and put in place by one rename: a reader sees a
whole bundle or none. Its manifest holds the hash of every file, so that a damaged bundle is refused
with the reason.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from plait.errors import BundleError, NotReadyError, PlaitError, RecipeError
from plait.pipeline.bundle_files import (
    bundle_files,
    check_hashes,
    file_hash,
    removed_on_failure,
    storing_bundles,
    sync_files,
    sync_folder,
)
from plait.pipeline.bundle_manifest import (
    MANIFEST,
    SCHEMA,
    check_stage_paths,
    read_manifest,
)
from plait.pipeline.pipeline import Pipeline
from plait.pipeline.recipe import Recipe
from plait.pipeline.stage import Stage
from plait.utils.toml_json import parse_json

__all__ = ["SCHEMA", "BundleStore", "bundle_age"]

KEPT = 3
"""How many bundles stay by default."""

_LONGEST_ID = 256
"""The most bytes that are read of the file that names the bundle in use."""


def bundle_age(bundle: str) -> float | None:
    """Return how old a bundle is; its id says when it was made.

    Args:
        bundle: Its id.

    Returns:
        Seconds, None for an id that does not begin with a time.
    """
    try:
        made = datetime.strptime(bundle.partition("-")[0], "%Y%m%dT%H%M%S%f").replace(tzinfo=UTC)
    except ValueError:
        return None
    return (datetime.now(UTC) - made).total_seconds()


class BundleStore:
    """The bundles of one home.

    Args:
        root: The folder of the bundles.
        keep: How many of them stay.
        stage_modules: The modules and packages whose stages a bundle may name by their path; from
            others only registered stages are imported.
    """

    def __init__(
        self, root: Path, *, keep: int = KEPT, stage_modules: tuple[str, ...] = ()
    ) -> None:
        self.root = root
        self._keep = keep
        self._stage_modules = stage_modules
        self._history = root.with_name(f"{root.name}.jsonl")

    def current(self) -> str:
        """The id of the bundle in use, "" if there is none yet.

        Raises:
            BundleError: The file that names it cannot be read.
        """
        path = self.root / "current"
        try:
            with path.open("rb") as file:
                # What is no UTF-8 is the id of no bundle, which is then refused by that name.
                return file.read(_LONGEST_ID).decode(errors="replace").strip()
        except FileNotFoundError:
            return ""
        except OSError as problem:
            raise BundleError(
                f"{path} cannot be read: {problem.strerror}",
                hint="remove it; plait rollback ID names a bundle again",
            ) from problem

    def ids(self) -> list[str]:
        """The ids of all bundles, oldest first."""
        if not self.root.is_dir():
            return []
        folders = [path for path in self.root.iterdir() if (path / MANIFEST).is_file()]
        return sorted(path.name for path in folders if not path.name.startswith("."))

    def substitutes(self) -> list[str]:
        """The ids that may answer where the current bundle does not, newest first.

        Bundles that were stored and never put into use are not among them.
        """
        used = {entry.get("bundle") for entry in self.history()}
        return [bundle for bundle in reversed(self.ids()) if not used or bundle in used]

    def save(self, pipeline: Pipeline, notes: dict[str, Any] | None = None) -> str:
        """Write a fitted pipeline; `use` makes it the current one.

        Args:
            pipeline: The pipeline.
            notes: What the manifest says beside, as JSON.

        Returns:
            The id of the bundle.

        Raises:
            StorageError: The bundle cannot be written; nothing of it stays.
        """
        now = datetime.now(UTC)
        bundle = f"{now:%Y%m%dT%H%M%S%f}-{uuid.uuid4().hex[:6]}"
        draft = self.root / f".draft-{bundle}"
        with storing_bundles(self.root), removed_on_failure(draft):
            draft.mkdir(parents=True)
            for stage in pipeline.stages:
                folder = draft / stage.name
                folder.mkdir()
                stage.save(folder)
            manifest = {
                "format": "plait-bundle",
                "schema": SCHEMA,
                "id": bundle,
                "made": now.isoformat(),
                "version": pipeline.version,
                "recipe": pipeline.recipe.to_dict(),
                "notes": notes or {},
                "files": {
                    str(path.relative_to(draft)): file_hash(path) for path in bundle_files(draft)
                },
            }
            (draft / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
            sync_files(draft)
            draft.rename(self.root / bundle)
            sync_folder(self.root)
        return bundle

    def use(self, bundle: str, reason: str = "fit") -> None:
        """Make a bundle the current one, by one rename, and remove all but the last few.

        The change is recorded in `bundles.jsonl`, beside the folder.

        Args:
            bundle: Its id.
            reason: Why it becomes the current one: "fit", "rollback" or "import".

        Raises:
            BundleError: The bundle has no valid manifest.
            StorageError: The file cannot be written.
        """
        self.manifest(bundle)
        draft = self.root / f".current-{uuid.uuid4().hex}"
        entry = {
            "time": datetime.now(UTC).isoformat(),
            "bundle": bundle,
            "previous": self.current(),
            "reason": reason,
        }
        with storing_bundles(self.root), removed_on_failure(draft):
            with draft.open("w", encoding="utf-8") as file:
                file.write(bundle + "\n")
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self.root / "current")
            sync_folder(self.root)
        with (
            suppress(OSError),  # the bundle is in use already
            self._history.open("a", encoding="utf-8") as history,
        ):
            history.write(json.dumps(entry) + "\n")
        self._remove_old(bundle)

    def history(self) -> list[dict[str, Any]]:
        """Which bundles were put into use, oldest first: `time`, `bundle`, `previous`, `reason`."""
        try:
            lines = self._history.read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return []
        entries = []
        for line in lines:
            with suppress(ValueError):  # a line that a crash cut off
                entries.append(parse_json(line))
        return [entry for entry in entries if isinstance(entry, dict)]

    def size(self, bundle: str) -> int:
        """How many bytes the files of a bundle take.

        Args:
            bundle: Its id.
        """
        return sum(path.stat().st_size for path in bundle_files(self.root / bundle))

    def manifest(self, bundle: str) -> dict[str, Any]:
        """The manifest of a bundle.

        Args:
            bundle: Its id.

        Raises:
            BundleError: The manifest is unreadable, incomplete, or of another version.
        """
        return read_manifest(self.root / bundle)

    def load(self, bundle: str = "", *, check: bool = True) -> Pipeline:
        """Restore the pipeline of a bundle.

        Args:
            bundle: Its id; empty: the current one.
            check: Whether the hash of every file is compared.

        Raises:
            NotReadyError: There is no current bundle.
            BundleError: The bundle is damaged, incomplete, or of another version.
        """
        bundle = bundle or self.current()
        if not bundle:
            hint = "plait fit --home DIR --recipe NAME (plait recipe list shows them)"
            raise NotReadyError("nothing is fitted yet", hint=hint)
        manifest = self.manifest(bundle)
        folder = self.root / bundle
        if check:
            check_hashes(folder, manifest["files"])
        try:
            recipe = Recipe.stored(manifest["recipe"])
            check_stage_paths(recipe, self._stage_modules, "its recipe")
            unfitted = Pipeline.build(recipe, stored=True)
        except RecipeError as problem:
            raise BundleError(
                f"bundle {bundle} cannot be built: {problem.message}", hint=problem.hint
            ) from problem
        return Pipeline(
            recipe,
            tuple(_loaded(stage, folder) for stage in unfitted.models),
            tuple(_loaded(stage, folder) for stage in unfitted.steps),
            manifest["version"],
        )

    def _remove_old(self, keep: str) -> None:
        """Remove old bundles, and the drafts of writers that died more than an hour ago."""
        for old in self.ids()[: -self._keep]:
            if old != keep:
                # Renamed first: a bundle that is half removed must not look like a whole one.
                renamed = self.root / f".draft-old-{old}"
                with suppress(FileNotFoundError):  # another process removes it too
                    (self.root / old).rename(renamed)
                shutil.rmtree(renamed, ignore_errors=True)
        hour_ago = datetime.now(UTC).timestamp() - 3600
        for draft in self.root.glob(".draft-*"):
            if draft.stat().st_mtime < hour_ago:
                shutil.rmtree(draft, ignore_errors=True)


def _loaded(unfitted: Stage, bundle_folder: Path) -> Stage:
    """The stage as saved. The hashes are right: what cannot be read was written by other code."""
    try:
        folder = bundle_folder / unfitted.name
        return type(unfitted).load(unfitted.config, unfitted.name, folder)
    except PlaitError:
        raise
    except Exception as problem:
        raise BundleError(
            f"bundle {bundle_folder.name}: {unfitted.name} cannot read its files"
            f" ({type(problem).__name__}: {problem})",
            hint="it was written by another version: fit again",
        ) from problem

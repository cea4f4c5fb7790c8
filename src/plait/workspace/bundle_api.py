"""The part of a workspace that fits and handles bundles: list, roll back, export, import."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import IO, Any

from plait.errors import BundleError, NotFoundError, PlaitError
from plait.eventlog import EventLog
from plait.pipeline.bundle_log_match import check_log
from plait.pipeline.bundle_store import BundleStore
from plait.pipeline.bundle_transfer import export_bundle, import_bundle
from plait.pipeline.fit_context import Callback, FitContext, Progress, Tracker
from plait.pipeline.pipeline import Pipeline
from plait.pipeline.recipe import RecipeLike
from plait.settings import Settings
from plait.training.callbacks import callbacks_of
from plait.training.process_group import ProcessGroup
from plait.training.trackers import trackers_from
from plait.utils.no_op_callbacks import ignore
from plait.utils.owned_folders import sweep_owned_folders
from plait.utils.plain_arguments import without_numpy
from plait.utils.timestamps import DAY
from plait.workspace.info import erased_since
from plait.workspace.live_model import LiveModel
from plait.workspace.recipe_choice import RecipeChoice, choose_recipe
from plait.workspace.webhooks import Webhooks

__all__ = ["BundleApi"]


class BundleApi:
    """Fits bundles and decides which of them answers.

    Attributes:
        settings: The settings of the home.
        host: Holds the model that answers.
        opened_recipe: The recipe that the home was opened with, unless it is a setting.
    """

    settings: Settings
    host: LiveModel
    opened_recipe: RecipeChoice | None = None
    _log: EventLog
    _bundles: BundleStore
    _webhooks: Webhooks

    def recipe_of_next_fit(self, recipe: RecipeLike | RecipeChoice | None = None) -> RecipeChoice:
        """Return the recipe that `fit` would take.

        Args:
            recipe: See `fit`.

        Returns:
            The recipe and where it comes from.

        Raises:
            RecipeError: If there is no such recipe, or it cannot be read.
        """
        chosen = self.opened_recipe if recipe is None else recipe
        return choose_recipe(chosen, self.settings, self._bundles)

    def fit(
        self,
        recipe: RecipeLike | RecipeChoice | None = None,
        seed: int = 0,
        progress: Progress | None = None,
        track: str | Tracker | Sequence[str | Tracker] = (),
        *,
        prune: bool = False,
        judgements: Any = None,
        callbacks: Callback | Sequence[Callback] = (),
    ) -> str:
        """Fit a recipe on everything in the log and answer with it; resumes an interrupted fit.

        Args:
            recipe: The recipe, its file, or the name of one that comes with Plait; None: that
                of `plait.open`, else the setting `recipe`, else the recipe of the bundle in use,
                else "default".
            seed: Of everything random.
            progress: Called with the step, how much of it is done, and how much there is.
            track: Trackers: names (`tensorboard`, `mlflow`, `wandb`) of those that write below
                HOME/tracking, and objects with `begin`, `report` and `end`.
            prune: Whether models that add nothing to held-out rankings are left out.
            judgements: A file or table of query, item and relevance; `relevance` learns from it.
            callbacks: Called after each epoch with its number and values; "stop" ends a training.

        Returns:
            The id of the bundle.

        Raises:
            InputError: If the home is empty.
            RecipeError: If the recipe cannot be built.
            MissingExtraError: If the recipe or a tracker needs an extra that is not installed.
            ConflictError: While another fit runs.
        """
        from plait.workspace.fit import fit

        home, is_main = self.settings.home, ProcessGroup.current().is_main
        sweep_owned_folders()
        try:
            trackers = trackers_from(track, home / "tracking")
            bundle = fit(
                self._log,
                self._bundles,
                home / "fit.lock",
                self.recipe_of_next_fit(recipe),
                seed=without_numpy(seed),
                progress=progress or ignore,
                context=FitContext(trackers=trackers, callbacks=callbacks_of(callbacks)),
                prune=prune,
                judgements=judgements,
            )
        except Exception as problem:
            if is_main:
                self._webhooks.announce("fit.failed", _failure(problem))
            raise
        if is_main:
            self._publish(bundle)
        if self.host.started:
            self.host.reload_if_changed()
        return bundle

    def _publish(self, bundle: str) -> None:
        """Announce a new bundle, and delete impressions that are too old to learn from."""
        self._webhooks.announce("bundle.new", _success(bundle, self._bundles.manifest(bundle)))
        oldest = time.time_ns() // 1000 - self.settings.impressions_days * DAY
        self._log.prune_impressions(oldest)

    def bundles(self) -> list[dict[str, Any]]:
        """Describe the bundles of the home, oldest first.

        Returns:
            For each `id`, `recipe`, `made`, `bytes`, `live` (whether it is the one in use),
            `version`, `events`, `erased_since` (how many users it was fitted on that were erased
            later) and `problem`, "" unless it cannot be read.
        """
        current, state = self._bundles.current(), self.host.state()
        described = []
        for bundle in self._bundles.ids():
            entry: dict[str, Any] = {
                "id": bundle,
                "live": bundle == current,
                "bytes": self._bundles.size(bundle),
                "problem": "",
            }
            try:
                manifest = self._bundles.manifest(bundle)
            except BundleError as problem:
                manifest, entry["problem"] = {}, problem.message
            entry |= {
                "recipe": manifest.get("recipe", {}).get("name"),
                "made": manifest.get("made"),
                "version": manifest.get("version"),
                "events": manifest.get("notes", {}).get("events"),
                "erased_since": len(erased_since(manifest, state)) if manifest else None,
            }
            described.append(entry)
        return described

    def rollback(self, bundle: str = "") -> str:
        """Answer with an earlier bundle; servers of this home swap to it within a second.

        Args:
            bundle: Its id; empty: the newest bundle that is older than the one in use.

        Returns:
            The id of the bundle.

        Raises:
            NotFoundError: If there is no such bundle.
            BundleError: If the bundle is damaged or belongs to another log; nothing changes.
        """
        ids, current = self._bundles.ids(), self._bundles.current()
        if not bundle:
            # Where no whole file names the bundle in use, the newest one takes its place.
            older = [name for name in ids if name < current or current not in ids]
            bundle = max(older, default="")
        if bundle not in ids:
            message = f"no bundle {bundle!r}" if bundle else "there is no older bundle"
            hint = f"there are {', '.join(ids)}" if ids else "plait fit makes one"
            raise NotFoundError(message, hint=hint, field="bundle")
        self._bundles.load(bundle)
        self._check_bundle(bundle, self._bundles.manifest(bundle))
        self._bundles.use(bundle, "rollback")
        if self.host.started:
            self.host.reload_if_changed()
        return bundle

    def export_bundle(self, out: IO[bytes], bundle: str = "") -> str:
        """Write a bundle as one file for another machine.

        Args:
            out: The file, open for writing; it may be a pipe.
            bundle: The id of the bundle; empty: the one in use.

        Returns:
            The id of the bundle.

        Raises:
            NotFoundError: If there is no such bundle.
            BundleError: If the bundle is damaged.
        """
        bundle = bundle or self._bundles.current()
        if bundle not in self._bundles.ids():
            message = f"no bundle {bundle!r}" if bundle else "nothing is fitted yet"
            raise NotFoundError(message, hint="plait bundles lists them", field="bundle")
        export_bundle(self._bundles, bundle, out)
        return bundle

    def import_bundle(self, archive: IO[bytes], *, use: bool = True) -> str:
        """Take over a bundle that `export_bundle` wrote on another machine.

        Args:
            archive: The file, open for reading; it may be a pipe.
            use: Whether to answer with it.

        Returns:
            The id of the bundle.

        Raises:
            BundleError: If the file is damaged or the bundle was fitted on another log.
        """
        bundle = import_bundle(self._bundles, archive, self._check_bundle)
        if use:
            self._bundles.load(bundle)
            self._bundles.use(bundle, "import")
            if self.host.started:
                self.host.reload_if_changed()
        return bundle

    def _load_bundle(self, bundle: str) -> Pipeline:
        """A bundle of this home, ready to be measured; "current" is the one in use."""
        if bundle == "current":
            bundle = self._bundles.current()
        elif bundle not in self._bundles.ids():
            known = ", ".join(self._bundles.ids()) or "none"
            raise NotFoundError(
                f"no bundle {bundle!r}", hint=f"current, or one of: {known}", field="bundle"
            )
        pipeline = self._bundles.load(bundle)
        self._check_bundle(bundle, self._bundles.manifest(bundle or self._bundles.current()))
        return pipeline

    def _check_bundle(self, bundle: str, manifest: Mapping[str, Any]) -> None:
        """Raise BundleError unless the bundle was fitted on this log."""
        check_log(bundle, manifest, self._log, self._log.item_ids())


def _success(bundle: str, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """What a webhook says of a new bundle."""
    notes = manifest["notes"]
    return {
        "bundle": bundle,
        "recipe": manifest["recipe"]["name"],
        "version": manifest["version"],
        **{name: notes[name] for name in ("items", "users", "events", "seconds")},
    }


def _failure(problem: Exception) -> dict[str, Any]:
    """What a webhook says of a failed fit; an unexpected error is named by its type alone."""
    if isinstance(problem, PlaitError):
        return {"error": problem.code, "message": problem.public, "hint": problem.hint}
    return {"error": "internal", "message": type(problem).__name__, "hint": ""}

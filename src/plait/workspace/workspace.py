"""One home, open: write into it, fit it, ask it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from plait.data.types import Event
from plait.errors import InputError, PlaitError
from plait.eventlog import AppendResult, EventLog, ImpressionBuffer
from plait.eventlog.group_commit import GroupCommitWriter
from plait.ingest.importer import Importer
from plait.ingest.rejects import forget
from plait.pipeline.bundle import BundleStore
from plait.pipeline.pipeline import OnStageTimed
from plait.pipeline.recipe import Recipe
from plait.privacy.consent import ConsentPolicy
from plait.privacy.pseudonyms import has_consented, pseudonym_key
from plait.settings import Settings, load_settings
from plait.training.process_group import ProcessGroup
from plait.training.trackers import tracker
from plait.workspace.catalogue_api import CatalogueApi, readable
from plait.workspace.fit import Progress, fit, no_progress
from plait.workspace.impression_chains import ImpressionChains, InMemoryImpressions
from plait.workspace.info import info
from plait.workspace.ingest import ImportReport, ingest
from plait.workspace.model_host import ModelHost
from plait.workspace.query_api import Questions
from plait.workspace.query_service import QueryService

if TYPE_CHECKING:
    from plait.evaluation.protocol import Protocol
    from plait.evaluation.results.report import Report
    from plait.evaluation.tuning.search import Trial, Tuned

__all__ = ["Workspace", "open"]

DAY = 86_400_000_000


def open(home: Path | str | Settings, **settings: Any) -> Workspace:  # noqa: A001  plait.open
    """Open a home, a folder that is made if it is missing; `settings` as in `plait.settings`.

    Raises StorageError if the log cannot be opened, InputError for a setting that does not exist.

        >>> import plait
        >>> sold = {"ann": ["lamp", "bulb"], "bob": ["lamp", "bulb"], "eve": ["mug"]}
        >>> rows = [
        ...     {"user": who, "item": what, "kind": "purchase"}
        ...     for who, whats in sold.items()
        ...     for what in whats
        ... ]
        >>> shop = plait.open("home")
        >>> shop.post(rows)[0]
        5
        >>> bundle = shop.fit()
        >>> shop.recommend(history=["lamp"], k=1).ids
        ['bulb']
        >>> shop.close()
    """
    known = [one.name for one in fields(Settings)]
    for name in settings:
        if name not in known:
            raise InputError(
                f"there is no setting {name!r}", hint=f"there are {', '.join(known)}", field=name
            )
    return Workspace(home if isinstance(home, Settings) else load_settings(home, **settings))


class Workspace(Questions):
    """An open home; close it, or use it as a context manager. Safe among threads.

    Nothing is read before the first question: `start` reads the log and loads the bundle, and
    whatever needs them calls it.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        home = settings.home
        self._log = EventLog.open(settings.database or home)
        home.mkdir(parents=True, exist_ok=True)
        self._bundles = BundleStore(home / "bundles")
        self._engine = ModelHost(self._log, self._bundles, poll_ms=settings.poll_ms)
        self._memory = ImpressionChains(
            ImpressionBuffer(self._log.add_impressions, self._log.impression)
            if settings.impressions
            else InMemoryImpressions()
        )
        self._answering = QueryService(
            self._engine,
            self._memory,
            patience=settings.stale_wait_ms / 1000,
            name_of=self._name_of,
        )
        self._writer = GroupCommitWriter(self._log)
        self._entities = CatalogueApi(self._log, self._append, self._engine, name_of=self._name_of)
        self._starter = threading.Thread()
        self._start_problem = ""
        self._closed = False

    # -- life

    def start(self) -> Self:
        """Read the log, load the bundle, follow both; returns when questions can be answered."""
        self._engine.start()
        return self

    def close(self) -> None:
        """Write what is still held, stop the threads, let go of the log."""
        if self._closed:
            return
        self._closed = True
        self._engine.close()
        self._writer.close()
        try:
            self._memory.rows.close()
        finally:
            self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # -- writing

    def ingest(
        self,
        events: Any = None,
        items: Any = None,
        users: Any = None,
        facts: Any = None,
        map: Any = None,  # noqa: A002
        progress: Progress | None = None,
    ) -> ImportReport:
        """Append files, DataFrames (polars or pandas) or lists of dicts; see docs/data-formats.md.

        Bad rows are counted in the receipt and written to HOME/rejects; they stop nothing. Doing
        it twice changes nothing. Raises InputError for a source that cannot be understood at all.
        """
        sources = {"events": events, "items": items, "users": users, "facts": facts}
        consent = self._consent()
        door = Importer(self._log, consent, rejects=self.settings.home / "rejects")
        receipts = ingest(door, consent, sources, map, progress or no_progress)
        self._engine.fold_now(receipts.version)
        return receipts

    def post(self, events: Sequence[Mapping[str, Any]]) -> tuple[int, list[dict[str, Any]]]:
        """Append interactions, as POST /v1/events has them: `id`, `kind`, `user`, `item`, `time`,
        `value`, `request_id`, `fields`.

        The version they are in, and a row {"id", "status", "error"} for each: "stored",
        "duplicate", "conflict" (the id is taken by another event) or "rejected". A row without an
        id gets one; without a time it happens now. The next answer of this process knows of it.
        """
        return self._entities.append_events(events)

    def put_item(self, item: str, fields: Mapping[str, Any]) -> int:
        """Describe an item, all its fields; returns the version. InputError names a bad field."""
        return self._entities.put("item", item, fields)

    def patch_item(self, item: str, fields: Mapping[str, Any]) -> int:
        """Change some fields, None takes one away; NotFoundError for an unknown item."""
        return self._entities.patch("item", item, fields)

    def get_item(self, item: str) -> dict[str, Any]:
        """{"id", "fields"} of an item; NotFoundError for an unknown or deleted one."""
        return self._entities.get("item", item)

    def delete_item(self, item: str) -> int:
        """Take an item out of every answer; returns the version."""
        return self._entities.delete(item)

    def put_user(self, user: str, fields: Mapping[str, Any]) -> int:
        """Describe a user, all fields; returns the version."""
        return self._entities.put("user", user, fields)

    def patch_user(self, user: str, fields: Mapping[str, Any]) -> int:
        """Change some fields, None takes one away; NotFoundError for an unknown user."""
        return self._entities.patch("user", user, fields)

    def get_user(self, user: str) -> dict[str, Any]:
        """{"id", "fields"} of a user; NotFoundError for an unknown one."""
        return self._entities.get("user", user)

    def erase_user(self, user: str) -> int:
        """Forget a user and all of their events, for good; returns the version.

        Lines of the rejects files that quote the id go too.
        """
        version = self._entities.erase(user)
        forget(self.settings.home / "rejects", user)
        return version

    # -- learning

    def fit(
        self,
        recipe: str | Path | Recipe = "default",
        seed: int = 0,
        progress: Progress | None = None,
        track: Sequence[str] = (),
    ) -> str:
        """Fit a recipe on everything in the log and answer with it from now on; its bundle's id.

        An interrupted fit goes on when it is run again. `track` names trackers (`tensorboard`,
        `mlflow`, `wandb`) that record what is trained below HOME/tracking.

        Raises InputError for an empty home, RecipeError, MissingExtraError for a recipe or tracker
        whose extra is not installed, and ConflictError while another fit runs.
        """
        lock = self.settings.home / "fit.lock"
        bundle = fit(
            self._log,
            self._bundles,
            lock,
            recipe,
            seed=seed,
            progress=progress or no_progress,
            trackers=tuple(tracker(name, self.settings.home / "tracking") for name in track),
        )
        if ProcessGroup.current().is_main:
            self._prune()
        if self._engine.started:
            self._engine.reload_if_changed()
        return bundle

    def evaluate(
        self,
        protocol: str | Protocol = "leave-one-out",
        recipes: Iterable[str | Path | Recipe] = ("default",),
        *,
        progress: Progress | None = None,
        **options: Any,
    ) -> Report:
        """Measure recipes; the live bundle is neither read nor touched.

        `options` are those of `plait.evaluation.protocol.Protocol` (test_days, seen, goal, k,
        refit, seed, ...), and seeds, group, test_events, map. Raises ProtocolError where the data
        do not allow it.
        """
        from plait.workspace.evaluate import evaluate

        return evaluate(
            self._log,
            protocol,
            recipes,
            options,
            history=self.settings.home / "evaluations.jsonl",
            flush=self._memory.rows.flush,
            progress=progress or no_progress,
        )

    def tune(
        self,
        recipe: str | Path | Recipe = "default",
        protocol: str = "leave-one-out",
        *,
        metric: str = "ndcg@10",
        trials: int = 20,
        only: Sequence[str] = (),
        progress: Progress | None = None,
        told: Callable[[Trial, Tuned | None], None] | None = None,
        **options: Any,
    ) -> Tuned:
        """Search the settings of a recipe on validation targets; a study of the home goes on.

        `only`: beginnings of "stage.setting"; `told` hears every trial. Raises MissingExtraError
        without optuna.
        """
        from plait.workspace.tune import tune

        return tune(
            self._log,
            recipe,
            protocol,
            options,
            metric=metric,
            trials=trials,
            folder=self.settings.home / "tune",
            only=only,
            flush=self._memory.rows.flush,
            progress=progress or no_progress,
            told=told or (lambda _trial, _best: None),
        )

    # -- looking

    @property
    def version(self) -> int:
        """The last offset that answers know of; 0 before the start."""
        return self._engine.version

    @property
    def watch(self) -> OnStageTimed:
        """Told the name and the seconds of every stage of every answer; may be set."""
        return self._engine.watch

    @watch.setter
    def watch(self, watch: OnStageTimed) -> None:
        self._engine.watch = watch

    def readiness(self) -> list[str]:
        """Why no question can be answered as it should; empty when all is well. Never waits."""
        if not self._engine.started:
            return [self._beginning()]
        if self._engine.loaded is None:
            return self._engine.problems() or ["nothing is fitted yet"]
        return self._engine.problems() if self._engine.is_behind else []

    def vitals(self) -> dict[str, Any]:
        """What is measured of a process: `head`, `version`, `bundle`, `ready`, `problems`,
        `impressions_written`, `impressions_dropped`.
        """
        dropped = getattr(self._memory.rows, "dropped", 0)
        return {
            "head": self._log.version,
            "version": self._engine.version,
            "bundle": self._engine.bundle,
            "ready": self._engine.loaded is not None and not self._engine.is_behind,
            "problems": self._engine.problems(),
            "impressions_written": self._memory.count - dropped,
            "impressions_dropped": dropped,
        }

    def info(self) -> dict[str, Any]:
        """What the home holds: counts, kinds, fields, bundles, weights, memory."""
        return info(self._log, self._bundles, self._engine)

    def title(self, item: str) -> str:
        """What an item is called: its title or name, else its id."""
        catalogue = self._engine.state().catalogue
        number = catalogue.number(item)
        fields = readable(catalogue, number) if number >= 0 else {}
        return str(fields.get("title") or fields.get("name") or item)

    # -- within

    @cached_property
    def _key(self) -> bytes:
        """The key of the pseudonyms, where these are on."""
        return pseudonym_key(self.settings) if self.settings.pseudonyms else b""

    def _append(self, events: Sequence[Event]) -> AppendResult:
        """Through consent and the group commit."""
        return Importer(self._writer, self._consent()).append(events)

    def _consent(self) -> ConsentPolicy:
        """One for every batch: it remembers what the batch says, and the log knows the rest."""
        required, pseudonyms = self.settings.consent_required, self.settings.pseudonyms
        if required:  # consent that another process heard being taken back counts here, too
            self._engine.start().fold_now(self._log.version)
        return ConsentPolicy(required, pseudonyms, self._key, self._granted)

    def _name_of(self, user: str) -> str:
        """What a user is called in the log: a pseudonym, where these are on."""
        return self._consent().user_id(user) if self.settings.pseudonyms else user

    def _granted(self, name: str) -> bool:
        """Whether a user has given consent."""
        return has_consented(self._engine.state().users, name)

    def _beginning(self) -> str:
        """Start beside the caller, unless that is under way; what keeps it."""
        if not self._starter.is_alive():
            self._starter = threading.Thread(target=self._begin, name="plait-start", daemon=True)
            self._starter.start()
        return self._start_problem or "the log is being read"

    def _begin(self) -> None:
        try:
            self._engine.start()
            self._start_problem = ""
        except PlaitError as problem:
            self._start_problem = str(problem)

    def _prune(self) -> None:
        """Forget impressions that are older than they are to be kept."""
        kept = self.settings.impressions_days * DAY
        self._log.prune_impressions(time.time_ns() // 1000 - kept)

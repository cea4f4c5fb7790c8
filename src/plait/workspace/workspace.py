"""An open home: write to it, fit it, query it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import starmap
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, Unpack

from plait.data.types import Query
from plait.errors import InputError
from plait.eventlog import EventLog, ImpressionBuffer
from plait.eventlog.group_commit import GroupCommitWriter
from plait.ingest.importer import Importer
from plait.pipeline.bundle import BundleStore
from plait.pipeline.pipeline import OnStageTimed
from plait.pipeline.recipe import Recipe
from plait.privacy.consent import ConsentPolicy
from plait.privacy.pseudonym_key import has_consented, pseudonym_key
from plait.settings import Settings
from plait.training.process_group import ProcessGroup
from plait.training.trackers import tracker
from plait.utils.no_op import ignore
from plait.utils.timestamps import DAY, to_micros
from plait.workspace.data_api import DataApi
from plait.workspace.fit import Progress, fit
from plait.workspace.impression_pagination import ImpressionChains, InMemoryImpressions
from plait.workspace.info import info
from plait.workspace.listing import ListingApi
from plait.workspace.live_model import LiveModel
from plait.workspace.query_service import QueryService
from plait.workspace.query_validation import MAX_ITEMS, QueryOptions, parse_query, validate_query
from plait.workspace.response import Response

if TYPE_CHECKING:
    from plait.evaluation.protocol import Protocol
    from plait.evaluation.results.report import Report
    from plait.evaluation.tuning.search import Trial, Tuned

__all__ = ["Workspace"]


class Workspace(DataApi, ListingApi):
    """An open home, safe among threads; nothing is read before the first query or `start`.

    Args:
        settings: The settings of the home.

    Attributes:
        settings: The settings of the home.
        host: Holds the state and the model that answers.
        queries: Runs queries; what HTTP stands on.
        chains: Remembers what was shown.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        home = settings.home
        log = EventLog.open(settings.database or home)
        home.mkdir(parents=True, exist_ok=True)
        self._bundles = BundleStore(home / "bundles")
        self.host = host = LiveModel(log, self._bundles, poll_ms=settings.poll_ms)
        consent = ConsentPolicy(
            settings.consent_required,
            settings.pseudonyms,
            pseudonym_key(settings) if settings.pseudonyms else b"",
            lambda user_id: has_consented(host.state().users, user_id),
        )
        self._writer = GroupCommitWriter(log)
        super().__init__(log, Importer(self._writer, consent), host, consent, home / "rejects")
        self.chains = ImpressionChains(
            ImpressionBuffer(log.add_impressions, log.impression)
            if settings.impressions
            else InMemoryImpressions()
        )
        self._stale_wait = settings.stale_wait_ms / 1000
        self.queries = QueryService(host, self.chains, consent, stale_wait=self._stale_wait)
        self.post_notes.answers = self.chains.rows if settings.impressions else None
        self._watch: OnStageTimed = ignore
        self._closed = False

    def start(self) -> Self:
        """Read the log, load the bundle, follow both.

        Raises:
            StorageError: If the log cannot be read.
        """
        self.host.start()
        return self

    def close(self) -> None:
        """Write what is still held, stop the threads, release the log."""
        if self._closed:
            return
        self._closed = True
        self.host.close()
        self._writer.close()
        try:
            self.chains.rows.close()
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

    def recommend(
        self, user: str | None = None, k: int = 10, **options: Unpack[QueryOptions]
    ) -> Response:
        """Recommend items for a user.

        Args:
            user: The user, known or not.
            k: How many items.
            options: See `QueryOptions`.

        Returns:
            The items, best first, each with its reasons.

        Raises:
            InputError: If a value of the query is wrong (FilterError for the filter).
            NotReadyError: Before the first fit.
        """
        return self._query("recommend", options, user=user, k=k)

    def search(
        self, text: str, *, user: str | None = None, k: int = 10, **options: Unpack[QueryOptions]
    ) -> Response:
        """Find items for words, in the light of the user if one is named.

        Args:
            text: The words.
            user: The user, known or not.
            k: How many items.
            options: See `QueryOptions`; seen items are kept by default.
        """
        if not str(text or "").strip():
            raise InputError("text is empty", hint="give the words to look for", field="text")
        return self._query("search", {"seen": "keep", **options}, text=text, user=user, k=k)

    def similar(
        self, item: str, *, user: str | None = None, k: int = 10, **options: Unpack[QueryOptions]
    ) -> Response:
        """Find items like one item, which is not among them.

        Args:
            item: The item.
            user: The user, known or not.
            k: How many items.
            options: See `QueryOptions`; seen items are kept unless they say otherwise.

        Raises:
            NotFoundError: If the item is unknown.
        """
        return self._query("similar", {"seen": "keep", **options}, items=[item], user=user, k=k)

    def rank(
        self,
        user: str | None,
        items: Iterable[str],
        *,
        k: int | None = None,
        **options: Unpack[QueryOptions],
    ) -> Response:
        """Order the caller's items for a user.

        Deleted, hidden, filtered and excluded ones are left out; unknown ones stand last, without
        a score and with the reason "unknown item".

        Args:
            user: The user, known or not.
            items: The items to order.
            k: Return only the first k; None for all.
            options: See `QueryOptions`; seen items are kept unless they say otherwise.
        """
        if isinstance(items, str) or not isinstance(items, Iterable):
            raise InputError("items is no list of ids", hint='like ["a", "b"]', field="items")
        candidates = list(items)
        if not candidates:
            raise InputError("items is empty", hint="give the items to order", field="items")
        k = min(len(candidates), MAX_ITEMS) if k is None else k
        seen: QueryOptions = {"seen": "keep", **options}
        return self._query("rank", seen, candidates=candidates, user=user, k=k)

    def next(self, request_id: str, k: int = 10) -> Response:
        """Continue an earlier response without repeating anything of its chain.

        Args:
            request_id: Any request of the chain.
            k: How many more items.

        Raises:
            NotFoundError: If the request is unknown.
        """
        return self.queries.next(request_id, k)

    def why(self, request_id: str) -> dict[str, Any]:
        """Return the query of a response, what was shown, and what each model contributed.

        Args:
            request_id: The request.

        Raises:
            NotFoundError: If the request is unknown.
        """
        return self.queries.explain_request(request_id)

    def ask(self, queries: Sequence[Query], *, at_least: int | None = None) -> list[Response]:
        """Answer several queries, in one batch where their shape allows it; see `recommend`.

        Args:
            queries: The queries.
            at_least: Wait until this version of the log is known, for a second at most.
        """
        return self.queries.run([validate_query(query) for query in queries], at_least=at_least)

    def warm_up(self) -> None:
        """Answer a query of every kind and forget it, as servers do before they are ready."""
        self.queries.warm_up()

    def _query(self, route: str, options: QueryOptions, **values: Any) -> Response:
        for name in options.keys() - QueryOptions.__annotations__.keys():
            raise TypeError(f"{route}() got an unexpected keyword argument {name!r}")
        values = {**options, **values}
        if values.get("time") is not None:
            values["time"] = to_micros(values["time"])
        if values.get("context", ()) is None:
            del values["context"]
        query = parse_query(values)
        return self.queries.run([query], at_least=options.get("at_least"), route=route)[0]

    def fit(
        self,
        recipe: str | Path | Recipe = "default",
        seed: int = 0,
        progress: Progress | None = None,
        track: Sequence[str] = (),
    ) -> str:
        """Fit a recipe on everything in the log and answer with it; resumes an interrupted fit.

        Args:
            recipe: The recipe, its file, or the name of one that comes with Plait.
            seed: Of everything random.
            progress: Told the step, how much of it is done, and how much there is.
            track: Trackers (`tensorboard`, `mlflow`, `wandb`) that write below HOME/tracking.

        Returns:
            The id of the bundle.

        Raises:
            InputError: If the home is empty.
            RecipeError: If the recipe cannot be built.
            MissingExtraError: If the recipe or a tracker needs an extra that is not installed.
            ConflictError: While another fit runs.
        """
        home = self.settings.home
        bundle = fit(
            self._log,
            self._bundles,
            home / "fit.lock",
            recipe,
            seed=seed,
            progress=progress or ignore,
            trackers=tuple(tracker(name, home / "tracking") for name in track),
        )
        if ProcessGroup.current().is_main:
            oldest = time.time_ns() // 1000 - self.settings.impressions_days * DAY
            self._log.prune_impressions(oldest)
        if self.host.started:
            self.host.reload_if_changed()
        return bundle

    def evaluate(
        self,
        protocol: str | Protocol = "leave-one-out",
        recipes: Iterable[str | Path | Recipe] = ("default",),
        *,
        progress: Progress | None = None,
        **options: Any,
    ) -> Report:
        """Measure recipes; the bundle in use is neither read nor changed.

        Args:
            protocol: The protocol or its name; "auto": `time` where the log has times, else
                leave-one-out.
            recipes: The recipes to compare.
            progress: Told the step, how much of it is done, and how much there is.
            options: Those of `Protocol` (test_days, k, ...), and seeds, group, test_events, map.

        Raises:
            ProtocolError: If the data do not allow the protocol.
        """
        from plait.workspace.evaluate import evaluate

        return evaluate(
            self._log,
            protocol,
            recipes,
            options,
            history=self.settings.home / "evaluations.jsonl",
            flush=self.chains.rows.flush,
            progress=progress or ignore,
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
        on_trial: Callable[[Trial, Tuned | None], None] | None = None,
        **options: Any,
    ) -> Tuned:
        """Search the settings of a recipe on validation targets; a study of the home is resumed.

        Args:
            recipe: The recipe, its file, or the name of one that comes with Plait.
            protocol: The name of the protocol.
            metric: What to maximise.
            trials: How many settings to try.
            only: Prefixes of "stage.setting" to restrict the search to.
            progress: Told the step, how much of it is done, and how much there is.
            on_trial: Called after every trial with it and the best so far.
            options: Those of the protocol; and `told`, the former name of `on_trial`.

        Raises:
            MissingExtraError: If optuna is not installed.
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
            flush=self.chains.rows.flush,
            progress=progress or ignore,
            on_trial=on_trial or options.pop("told", None) or ignore,
        )

    @property
    def version(self) -> int:
        """The last offset that responses know of; 0 before the start."""
        return self.host.version

    @property
    def watch(self) -> OnStageTimed:
        """Called with the name and the seconds of every stage of every query; may be set."""
        return self._watch

    @watch.setter
    def watch(self, watch: OnStageTimed) -> None:
        self._watch = watch
        self.host.on_timings = lambda timings: deque(starmap(watch, timings.items()), 0)

    def readiness(self) -> list[str]:
        """Return why no query can be answered as it should; never waits.

        Returns:
            Sentences; none when all is well.
        """
        return self.host.readiness()

    def vitals(self) -> dict[str, Any]:
        """Return the health metrics of this process.

        Returns:
            `head`, `version`, `bundle`, `ready`, `problems`, `impressions_written`,
            `impressions_dropped`.
        """
        dropped = getattr(self.chains.rows, "dropped", 0)
        return {
            "head": self._log.version,
            "version": self.host.version,
            "bundle": self.host.bundle,
            "ready": self.host.loaded is not None and not self.host.is_behind,
            "problems": self.host.problems(),
            "impressions_written": self.chains.count - dropped,
            "impressions_dropped": dropped,
        }

    def info(self) -> dict[str, Any]:
        """Return what the home holds: counts, event types, fields, bundles, weights, memory."""
        return info(self._log, self._bundles, self.host)

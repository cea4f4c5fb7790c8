"""An open home: writes to it, fits it, queries it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import starmap
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from plait.errors import BundleError, InputError, StorageError
from plait.eventlog import EventLog, ImpressionBuffer
from plait.eventlog.group_commit import GroupCommitWriter
from plait.eventlog.snapshot import snapshot
from plait.ingest.event_type_spelling import USUAL_EVENT_TYPES
from plait.ingest.importer import Importer
from plait.pipeline.bundle_store import BundleStore, bundle_age
from plait.pipeline.fit_context import Progress
from plait.pipeline.pipeline import OnStageTimed
from plait.pipeline.recipe import RecipeLike, recipe_from
from plait.privacy.consent import ConsentPolicy, has_consented
from plait.privacy.erasure_hashes import erasure_key
from plait.privacy.pseudonyms import pseudonym_key
from plait.settings import Settings
from plait.utils.no_op_callbacks import ignore
from plait.utils.private_files import make_private_folder
from plait.workspace.bulk_items import BulkItems
from plait.workspace.bundle_api import BundleApi
from plait.workspace.home_warnings import home_warnings
from plait.workspace.impression_pagination import ImpressionChains, InMemoryImpressions
from plait.workspace.info import info
from plait.workspace.listing import ListingApi
from plait.workspace.live_model import LiveModel
from plait.workspace.query_api import QueryApi
from plait.workspace.query_service import QueryService
from plait.workspace.user_merging import UserMerging
from plait.workspace.webhooks import Webhooks
from plait.workspace.write_api import DataApi

if TYPE_CHECKING:
    from plait.evaluation.judged.judged_report import JudgedReport
    from plait.evaluation.protocol import Protocol
    from plait.evaluation.results.report import Report
    from plait.evaluation.tuning.search import Trial, Tuned
    from plait.experiments.data.dataset import Dataset
    from plait.workspace.search_report import SearchReport

__all__ = ["Workspace"]


class Workspace(BundleApi, BulkItems, UserMerging, QueryApi, ListingApi):
    """An open home, safe among threads; nothing is read before the first query or `start`.

    Args:
        settings: The settings of the home.

    Attributes:
        settings: The settings of the home.
        host: Holds the state and the model that answers.
        queries: Runs queries; what HTTP stands on.
        chains: Remembers what was shown.
        remove_folder: Called when the workspace has been closed; deletes a temporary home.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        home = settings.home
        log = EventLog.open(
            settings.database or home,
            erasure_key=lambda make: erasure_key(settings, make=make),
        )
        make_private_folder(home)
        log.reserve_kinds(USUAL_EVENT_TYPES)
        self._bundles = BundleStore(
            home / "bundles", keep=settings.keep_bundles, stage_modules=settings.stage_modules
        )
        self._webhooks = Webhooks(settings)
        self.host = host = LiveModel(
            log,
            self._bundles,
            poll_ms=settings.poll_ms,
            history_limit=settings.history_limit,
        )
        consent = ConsentPolicy(
            settings.consent_required,
            settings.pseudonyms,
            pseudonym_key(settings) if settings.pseudonyms else b"",
            lambda user_id: has_consented(host.state().users, user_id),
        )
        self._writer = GroupCommitWriter(log)
        DataApi.__init__(
            self, log, Importer(self._writer, consent), host, consent, home / "rejects"
        )
        self.chains = ImpressionChains(
            ImpressionBuffer(
                log.add_impressions,
                log.impression,
                bound=log.bound_impressions,
                most_bytes=settings.impressions_mb * 1_000_000,
            )
            if settings.impressions
            else InMemoryImpressions()
        )
        self._stale_wait = settings.stale_wait_ms / 1000
        QueryApi.__init__(
            self, QueryService(host, self.chains, consent, stale_wait=self._stale_wait)
        )
        self.post_notes.answers = self.chains.rows if settings.impressions else None
        self.remove_folder: Callable[[], object] = ignore
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
        self._webhooks.close()
        self.remove_folder()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        bundle = self._bundles.current() or "nothing fitted"
        return f"Workspace({str(self.settings.home)!r}, {bundle})"

    def dataset(self) -> Dataset:
        """Return everything that the log holds as a data set for experiments.

        Raises:
            StorageError: If the log cannot be read.
        """
        from plait.experiments.data.dataset import Dataset

        return Dataset.from_snapshot(snapshot(self._log))

    def evaluate(
        self,
        protocol: str | Protocol = "auto",
        recipes: RecipeLike | Iterable[RecipeLike] = ("default",),
        *,
        progress: Progress | None = None,
        **options: Any,
    ) -> Report:
        """Measure recipes; the bundle in use is neither read nor changed.

        Args:
            protocol: The protocol or its name; "auto": "split" if there is test data, else "time"
                where the log has times, else "leave-one-out".
            recipes: The recipes to compare.
            progress: Called with the step, how much of it is done, and how much there is.
            options: Those of `Protocol` (test_days, k, ...), and: `seeds`; `group`;
                `fusion_methods` and `ablate`, further rows of fusions; `train`, `validation` and
                `test`, one's own split as tables or data sets (without `train`
                the log is the training data); `test_events` for the ratings protocol; `map`, the
                mapping of such tables; `metrics`, functions of a list of ids and the set of
                targets; `track`, names of trackers or trackers; `callbacks`, functions of an epoch
                and its values, of which "stop" ends a training; `keep_fits`, to measure the fitted
                models again by `Report.measure`; `bundle`, the id of a bundle, or "current", that
                is measured as it is instead of recipes.

        Returns:
            The report.

        Raises:
            InputError: If an option is unknown or wrong, or a table cannot be read.
            ProtocolError: If the data do not allow the protocol.
            MissingExtraError: If a recipe or a tracker needs an extra that is not installed.
        """
        from plait.workspace.evaluate import evaluate

        return evaluate(
            self._log,
            protocol,
            recipes,
            options,
            history=self.settings.home / "evaluations.jsonl",
            flush=self.chains.rows.flush,
            load_bundle=self._load_bundle,
            progress=progress or ignore,
        )

    def evaluate_judgements(
        self,
        judgements: Any,
        protocol: str = "collection",
        *,
        recipe: str | None = None,
        k: int = 10,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> JudgedReport:
        """Measure the search of the bundle in use by judged items; no events are needed.

        Args:
            judgements: A file or a table with the columns query, item and relevance.
            protocol: "collection" ranks all items, "rerank" the judged ones of each query.
            recipe: The name of the recipe that the bundle should have; None: any.
            k: The cut-off.
            seed: The seed of resamples and folds.
            progress: Called with the step, how much of it is done, and how much there is.

        Raises:
            InputError: If the judgements cannot be read, there is no such protocol, or the bundle
                is of another recipe.
            NotReadyError: Before the first fit.
        """
        from plait.workspace.judged_search import evaluate_judgements

        return evaluate_judgements(
            self.host.serving(),
            judgements,
            protocol=protocol,
            recipe=recipe,
            k=k,
            seed=seed,
            progress=progress or ignore,
        )

    def search_report(self, *, k: int = 20) -> SearchReport:
        """Summarise the recorded searches: those in vain, and synonyms that they suggest.

        Searches are recorded under the setting `impressions`.

        Args:
            k: The most entries of each list.

        Raises:
            InputError: If k is below 1.
        """
        from plait.workspace.search_report import search_report

        if k < 1:
            raise InputError(f"k is {k}, expected 1 or more", field="k")
        self.chains.rows.flush()
        weights = recipe_from("search").event_weights
        return search_report(self._log, snapshot(self._log).weighted(weights), k)

    def tune(
        self,
        recipe: RecipeLike = "default",
        protocol: str | None = None,
        *,
        metric: str | Callable[[list[str], set[str]], float] = "ndcg@10",
        trials: int = 20,
        only: Sequence[str] = (),
        progress: Progress | None = None,
        on_trial: Callable[[Trial, Tuned | None], object] | None = None,
        **options: Any,
    ) -> Tuned:
        """Search the settings of a recipe on validation targets; a study of the home is resumed.

        Args:
            recipe: The recipe, its file, or the name of one that comes with Plait.
            protocol: The name of the protocol; None: "split" if there is validation data, else
                leave-one-out.
            metric: What to maximise: the name of a metric, or a function of a list of ids and the
                set of targets.
            trials: How many settings to try.
            only: Prefixes of "stage.setting" to restrict the search to.
            progress: Called with the step, how much of it is done, and how much there is.
            on_trial: Called after every trial with it and the best so far; if it returns "stop", no
                other trial begins.
            options: Those of the protocol; `train` and `validation`, one's own split as for
                `evaluate` (`test` is ignored); `track`; `callbacks`; and `told`, the former
                name of `on_trial`.

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
        """Return why no query can be answered; never waits.

        Returns:
            Sentences; none where queries are answered, be it from a stale state.
        """
        return self.host.readiness()

    def vitals(self) -> dict[str, Any]:
        """Return the health metrics of this process.

        Returns:
            `head` (the version of the log, None while it cannot be read), `version`, `names`
            (how many fields each entity has, and event types as "kind"; None too), `bundle`,
            `bundle_age` in seconds, `items` (how many the catalogue has), `doubtful_items` (how
            many the bundle was warned of), `ready`, `degraded`, `problems`,
            `impressions_written`, `impressions_dropped`, `impressions_pruned`.
        """
        dropped = getattr(self.chains.rows, "dropped", 0)
        loaded, head, names = self.host.loaded, None, None
        with suppress(StorageError):
            head, names = self._log.version, self._log.name_counts()
        return {
            "head": head,
            "version": self.host.version,
            "names": names,
            "bundle": self.host.bundle,
            "bundle_age": None if loaded is None else bundle_age(loaded.bundle),
            "items": None if loaded is None else int(loaded.state.catalogue.alive.sum()),
            "doubtful_items": self._n_doubtful(),
            "ready": loaded is not None,
            "degraded": self.host.degraded(),
            "problems": self.host.problems(),
            "impressions_written": self.chains.count - dropped,
            "impressions_dropped": dropped,
            "impressions_pruned": getattr(self.chains.rows, "pruned", 0),
        }

    def _n_doubtful(self) -> int | None:
        """How many items of the bundle in use rise by few or new users; None without a bundle."""
        if not self.host.bundle:
            return None
        with suppress(BundleError):
            notes = self._bundles.manifest(self.host.bundle).get("notes", {})
            return len(notes.get("doubtful_items", ()))
        return None

    def info(self) -> dict[str, Any]:
        """Return what the home holds: counts, event types, fields, bundles, weights, memory."""
        pseudonyms = self.settings.pseudonyms
        described = info(self._log, self._bundles, self.host, pseudonyms=pseudonyms)
        return described | {"warnings": home_warnings(self.settings.home)}

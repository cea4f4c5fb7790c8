"""Holds what answers: one reference to (bundle, pipeline, state, deltas), swapped while it runs.

A request takes the reference once and finishes with what it took. Three things replace it: the
fold (a new state), the work beside the fold (new deltas), and a new current bundle.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from plait.data.types import CandidateLists, Query, QueryBatch, StateView
from plait.errors import BundleError, MissingExtraError, NotReadyError, PlaitError
from plait.pipeline.bundle import BundleStore
from plait.pipeline.item_numbering import check_numbering
from plait.pipeline.pipeline import OnStageTimed, Pipeline
from plait.state import Follower, LiveState, deltas
from plait.state.follower import Followed
from plait.workspace.query_encoding import encode_queries

__all__ = ["NOT_READ", "LoadedModel", "ModelHost"]

NOT_READ = "the log has not been read yet"
"""What every engine has to say for itself at first."""

FIT = "plait fit --home DIR, or shop.fit()"
"""What helps where nothing answers, unless something is not installed."""

BUNDLE_POLL = 0.1
"""Seconds between two looks at which bundle is the current one."""

RETRY = 5.0
"""Seconds until a bundle that could not be loaded is tried again."""


@dataclass(frozen=True, slots=True, eq=False)
class LoadedModel:
    """Everything an answer is made of."""

    bundle: str
    pipeline: Pipeline
    state: LiveState
    live: StateView

    def with_state(self, state: LiveState) -> LoadedModel:
        """A newer state beside the deltas there are."""
        return replace(self, state=state, live=StateView(state, self.live.deltas))

    def ask(
        self, queries: Sequence[Query], watch: OnStageTimed
    ) -> tuple[QueryBatch, CandidateLists]:
        """One batch through the pipeline; the questions are `checked` and of one group."""
        recipe = self.pipeline.recipe
        asked = encode_queries(queries, self.live, self.state.users, recipe.event_weights)
        return asked, self.pipeline.run(asked, watch)


class ModelHost:
    """Follows a log and a folder of bundles; `serving()` is what to answer with now."""

    def __init__(self, log: Followed, bundles: BundleStore, *, poll_ms: int = 25) -> None:
        self.watch: OnStageTimed = _nobody
        self._log = log
        self._bundles = bundles
        self._poll_ms = poll_ms
        self._serving: LoadedModel | None = None
        self._state = LiveState()
        self._known: tuple[Pipeline, StateView] | None = None
        self._swap = threading.Lock()
        self._refreshing = threading.Lock()
        self._refreshed = threading.Condition()
        self._starting = threading.Lock()
        self._looking = threading.Lock()
        self._failed = ("", 0.0)
        self._started = False
        self._follower: Follower | None = None
        self._loader: threading.Thread | None = None
        self._closing = threading.Event()
        self._problem = ""
        self._remedy = FIT

    @property
    def started(self) -> bool:
        """Whether it follows the log."""
        return self._started

    @property
    def version(self) -> int:
        """The last offset that answers know of; 0 before the start."""
        return self._state.version

    @property
    def bundle(self) -> str:
        """The id of the bundle that answers, "" if there is none."""
        return self._serving.bundle if self._serving else ""

    @property
    def loaded(self) -> LoadedModel | None:
        """What answers, None before the first bundle; starts nothing."""
        return self._serving

    def start(self) -> ModelHost:
        """Fold the whole log, load the current bundle, then follow both. Does it once.

        Raises StorageError if the log cannot be read, NotReadyError after `close`. A bundle that
        does not load is one of the `problems`.
        """
        if self._started:
            return self
        with self._starting:
            if self._closing.is_set():
                raise NotReadyError("the shop is closed", hint="open it again")
            if self._follower is None:
                self._state = state = LiveState.replay(self._log)
                follower = Follower(
                    self._log, self._publish, self._refresh, state=state, poll_ms=self._poll_ms
                )
                self._follower = follower
                self.reload_if_changed()
                follower.start()
                self._loader = threading.Thread(target=self._run, name="plait-bundles", daemon=True)
                self._loader.start()
                self._started = True
        return self

    def close(self) -> None:
        """Stop following."""
        self._closing.set()
        with self._starting:
            if self._loader is not None:
                self._loader.join()
            if self._follower is not None:
                self._follower.close()

    def serving(self) -> LoadedModel:
        """What to answer with; NotReadyError before the first bundle."""
        if self._serving is None:
            self.start()
        found = self._serving
        if found is None:
            raise NotReadyError(self._problem or "nothing is fitted yet", hint=self._remedy)
        return found

    def state(self) -> LiveState:
        """The newest state, bundle or not."""
        self.start()
        return self._state

    @property
    def is_behind(self) -> bool:
        """Whether the log cannot be followed right now."""
        return self._follower is not None and bool(self._follower.error)

    def problems(self) -> list[str]:
        """What keeps this engine from being as fresh as it should be; empty when all is well."""
        follower = self._follower
        if follower is None or not self._started:
            return [NOT_READ]
        more = "" if self._remedy == FIT else f" ({self._remedy})"
        found = [self._problem + more] if self._problem else []
        if follower.error:
            found.append(f"the log cannot be followed: {follower.error}")
        if not follower.alive:
            found.append("nothing follows the log")
        return found

    def fold_now(self, version: int) -> None:
        """Let the next answer know of offset `version`; does nothing before the start."""
        if self._follower is not None:
            self._follower.fold_now(version)

    def wait_for(self, version: int, timeout: float) -> bool:
        """Wait until `version` is folded in; whether it was in time."""
        self.start()
        assert self._follower is not None
        return self._follower.wait_for(version, timeout)

    def wait_for_deltas(self, version: int, timeout: float) -> bool:
        """Wait until stages know the items of `version`; at once where nothing answers yet."""
        with self._refreshed:
            return self._refreshed.wait_for(lambda: self._is_known(version), timeout)

    def reload_if_changed(self) -> bool:
        """Load the current bundle if it is another one; False if that failed.

        A bundle that cannot be loaded or cannot answer leaves the old one in its place.
        """
        with self._looking:
            wanted = ""
            try:
                wanted = self._bundles.current()
                if wanted and wanted != self.bundle:
                    if wanted == self._failed[0] and time.monotonic() < self._failed[1]:
                        return False
                    self._swap_in(wanted)
                self._problem, self._remedy = "", FIT
            except Exception as problem:  # noqa: BLE001  kept, shown, tried again
                self._problem = f"the current bundle does not load: {_said(problem)}"
                self._remedy = problem.hint if isinstance(problem, MissingExtraError) else FIT
                self._failed = wanted, time.monotonic() + RETRY
                return False
            return True

    def _swap_in(self, bundle: str) -> None:
        assert self._follower is not None
        manifest = self._bundles.manifest(bundle)
        self._follower.fold_now(manifest["version"])
        check_numbering(bundle, manifest["notes"], self._follower.state.catalogue.ids)
        pipeline = self._bundles.load(bundle)
        with self._refreshing:
            state = self._state
            live = StateView(state, deltas(pipeline, state))
            fresh = LoadedModel(bundle, pipeline, state, live)
            _warm(fresh)
            with self._swap:
                self._serving = fresh.with_state(self._state)
                self._known = pipeline, live
        self._tell()

    def _publish(self, state: LiveState) -> None:
        with self._swap:
            self._state = state
            if self._serving is not None:
                self._serving = self._serving.with_state(state)

    def _refresh(self) -> None:
        """Bring the deltas up to the newest catalogue; runs in the follower's thread."""
        with self._refreshing:
            if self._known is None:
                return
            pipeline, before = self._known
            state = self._state
            if state is before.state:
                return
            after = StateView(state, deltas(pipeline, state, before))
            with self._swap:
                self._known = pipeline, after
                if self._serving is not None:
                    live = StateView(self._serving.state, after.deltas)
                    self._serving = replace(self._serving, live=live)
        self._tell()

    def _is_known(self, version: int) -> bool:
        known = self._known
        return known is None or known[1].state.version >= version

    def _tell(self) -> None:
        with self._refreshed:
            self._refreshed.notify_all()

    def _run(self) -> None:
        while not self._closing.wait(BUNDLE_POLL):
            self.reload_if_changed()


def _warm(serving: LoadedModel) -> None:
    """Answer a few questions, so that the first asker does not wait for memory and caches.

    Raises BundleError if the bundle cannot answer, MissingExtraError if it could with an extra.
    """
    known = [one for one in serving.state.users.ids[:8] if one]
    questions = [Query(), Query(text="a"), *(Query(user=one) for one in known)]
    try:
        for question in (*questions, *questions):
            serving.ask([question], _nobody)
    except MissingExtraError:
        raise  # another fit would need it too
    except Exception as problem:
        raise BundleError(
            f"bundle {serving.bundle} cannot answer: {type(problem).__name__}: {problem}",
            hint="fit again",
        ) from problem


def _said(problem: Exception) -> str:
    if isinstance(problem, MissingExtraError):
        return problem.message  # its hint is the remedy
    return (
        str(problem) if isinstance(problem, PlaitError) else f"{type(problem).__name__}: {problem}"
    )


def _nobody(_name: str, _seconds: float) -> None:
    """Watches nothing."""

"""Holds the model that answers: (bundle, pipeline, state, deltas), replaced while it runs.

A request takes the reference once and finishes with what it took. Three things replace it: a newer
state, newer deltas of the stages, and a new current bundle.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from plait.data.types import StateView
from plait.errors import BundleError, MissingExtraError, NotReadyError, PlaitError
from plait.eventlog import EventChunk, EventLog
from plait.pipeline.bundle_log_match import check_log
from plait.pipeline.bundle_store import BundleStore
from plait.pipeline.pipeline import Pipeline
from plait.state import Follower, LiveState, deltas
from plait.utils.no_op_callbacks import ignore
from plait.workspace.loaded_model import LoadedModel, try_out
from plait.workspace.query_encoding import HISTORY_LIMIT

__all__ = ["NOT_READ", "LiveModel"]

NOT_READ = "the log has not been read yet"
"""The problem of a host that was not started."""

FIT_HINT = "plait fit --home DIR --recipe NAME (plait recipe list), or Workspace.fit(NAME)"
"""The next step where no bundle answers, unless an extra is missing."""

BUNDLE_POLL = 0.1
"""Seconds between two polls of which bundle is the current one."""

RETRY = 5.0
"""Seconds until a bundle that could not be loaded is tried again."""

_log = logging.getLogger(__name__)


class LiveModel:
    """Follows a log and a folder of bundles, and holds the model that answers now.

    Args:
        log: The log to follow.
        bundles: The bundles of the home.
        poll_ms: Milliseconds between two polls of the log.
        history_limit: The most events of a user that the models see.

    Attributes:
        on_timings: Called after each batch with the seconds of every stage, by its name.
    """

    def __init__(
        self,
        log: EventLog,
        bundles: BundleStore,
        *,
        poll_ms: int = 25,
        history_limit: int = HISTORY_LIMIT,
    ) -> None:
        self.on_timings: Callable[[Mapping[str, float]], object] = ignore
        self._log = log
        self._bundles = bundles
        self._poll_ms = poll_ms
        self._history_limit = history_limit
        self._loaded: LoadedModel | None = None
        self._with_deltas: tuple[Pipeline, StateView] | None = None
        self._swapping = threading.Lock()
        self._refreshing = threading.Lock()
        self._refreshed = threading.Condition()
        self._starting = threading.Lock()
        self._reloading = threading.Lock()
        self._failed_bundle: str | None = None
        self._retry_at = 0.0
        self._started = False
        self._follower: Follower | None = None
        self._starter, self._start_problem = threading.Thread(), ""
        self._loader: threading.Thread | None = None
        self._closing = threading.Event()
        self._problem, self._hint = "", FIT_HINT

    @property
    def started(self) -> bool:
        """Whether it follows the log."""
        return self._started

    @property
    def version(self) -> int:
        """The last offset that responses know of; 0 before the start."""
        return self._follower.state.version if self._follower else 0

    @property
    def bundle(self) -> str:
        """The id of the bundle that answers, "" if there is none."""
        return self._loaded.bundle if self._loaded else ""

    @property
    def loaded(self) -> LoadedModel | None:
        """The loaded model, None before the first bundle; starts nothing."""
        return self._loaded

    @property
    def is_behind(self) -> bool:
        """Whether the log cannot be followed right now."""
        return bool(self.degraded())

    def start(self) -> LiveModel:
        """Read the whole log, load the current bundle, then follow both. Does it once.

        A bundle that does not load is one of the `problems`.

        Returns:
            The host itself.

        Raises:
            StorageError: If the log cannot be read.
            NotReadyError: After `close`.
        """
        if self._started:
            return self
        with self._starting:
            if self._closing.is_set():
                raise NotReadyError("the workspace is closed", hint="open it again")
            if self._follower is None:
                state = LiveState.replay(self._log)
                self._follower = Follower(
                    self._log, self._refresh, state=state, poll_ms=self._poll_ms
                )
                self.reload_if_changed()
                self._follower.start()
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
        """Return the model to answer with, with the newest state.

        Returns:
            The loaded model.

        Raises:
            NotReadyError: Before the first bundle.
        """
        if self._loaded is None:
            self.start()
        loaded, follower = self._loaded, self._follower
        if loaded is None or follower is None:
            raise NotReadyError(self._problem or "nothing is fitted yet", hint=self._hint)
        state = follower.state
        if state is loaded.state:
            return loaded
        live = StateView(state, loaded.live.deltas)
        current = LoadedModel(loaded.bundle, loaded.pipeline, state, live, loaded.history_limit)
        with self._swapping:
            if self._loaded is loaded:
                self._loaded = current
        return current

    def state(self) -> LiveState:
        """Return the newest state, whether there is a bundle or not.

        Returns:
            The state.

        Raises:
            StorageError: If the log cannot be read.
        """
        self.start()
        assert self._follower is not None
        return self._follower.state

    def readiness(self) -> list[str]:
        """Return why no query can be answered (from a stale state it can); never waits.

        The first call starts the host in a thread: reading a large log takes a while.

        Returns:
            Sentences; none when all is well.
        """
        if not self._started:
            if not self._starter.is_alive():
                self._starter = threading.Thread(
                    target=self._start_in_background, name="plait-start", daemon=True
                )
                self._starter.start()
            return [self._start_problem or "the log is being read"]
        return [] if self._loaded else self.problems() or ["nothing is fitted yet"]

    def degraded(self) -> list[str]:
        """Return what responses lack now: "stale" where the log cannot be followed."""
        follower = self._follower if self._started else None
        return ["stale"] if follower and (follower.error or not follower.alive) else []

    def _start_in_background(self) -> None:
        try:
            self.start()
            self._start_problem = ""
        except PlaitError as problem:
            self._start_problem = str(problem)

    def problems(self) -> list[str]:
        """Return what keeps this host from being up to date.

        Returns:
            Sentences; none when all is well.
        """
        follower = self._follower
        if follower is None or not self._started:
            return [NOT_READ]
        remedy = "" if self._hint == FIT_HINT else f" ({self._hint})"
        problems = [self._problem + remedy] if self._problem else []
        if self._problem and self._loaded is not None:
            problems.append(f"another bundle answers: {self._loaded.bundle}")
        if follower.error:
            problems.append(f"the log cannot be followed: {follower.error}")
        if not follower.alive:
            problems.append("nothing follows the log")
        return problems

    def catch_up(self, version: int, appended: EventChunk | None = None) -> None:
        """Let the next response know of an offset; does nothing before the start.

        Args:
            version: The offset.
            appended: The events that were just appended, if the caller has them.

        Raises:
            StorageError: If the log cannot be read.
        """
        if self._follower is not None:
            state = self._follower.catch_up(version, appended)
            if self._loaded is not None:
                self._loaded.pipeline.follow(state)

    def sync(self) -> LiveState:
        """Apply everything that is in the log now, also what other processes appended.

        Returns:
            The state.

        Raises:
            StorageError: If the log cannot be read.
        """
        self.start()
        assert self._follower is not None
        return self._follower.catch_up(self._log.version)

    def wait_for(self, version: int, timeout: float) -> bool:
        """Wait until the state has reached an offset; not at all for one beyond the log.

        Args:
            version: The offset.
            timeout: The longest time to wait, in seconds.

        Returns:
            Whether the state has reached it.
        """
        self.start()
        assert self._follower is not None
        if self._follower.state.version < version and self._log.version < version:
            return False
        return self._follower.wait_for(version, timeout)

    def head(self) -> int:
        """Return the version of the log, and let the state follow it at once."""
        self.start()
        assert self._follower is not None
        self._follower.wait_for(head := self._log.version, 0)
        return head

    def wait_for_deltas(self, version: int, timeout: float) -> bool:
        """Wait until the stages know the items of a version; at once where no bundle answers yet.

        Args:
            version: The offset.
            timeout: The longest time to wait, in seconds.

        Returns:
            Whether they know them.
        """
        with self._refreshed:
            return self._refreshed.wait_for(lambda: self._has_deltas(version), timeout)

    def reload_if_changed(self) -> bool:
        """Load the current bundle if it is another one.

        A bundle that cannot be loaded or cannot answer leaves the previous one in use. Where there
        is none, at a start, the newest bundle answers that can, and `problems` says so.

        Returns:
            False if loading failed.
        """
        with self._reloading:
            current, is_waiting = None, time.monotonic() < self._retry_at
            try:
                current = self._bundles.current()
                if not current or current != self.bundle:
                    if is_waiting and current == self._failed_bundle:
                        return False
                    self._load_named(current)
                self._problem, self._hint, self._failed_bundle = "", FIT_HINT, None
            except Exception as problem:  # noqa: BLE001  kept, shown, tried again
                if is_waiting and current is None:
                    return False
                self._keep_problem(problem)
                self._failed_bundle, self._retry_at = current, time.monotonic() + RETRY
                if self._loaded is None and not isinstance(problem, MissingExtraError):
                    self._load_substitute(current)
                return False
            return True

    def _load_named(self, current: str) -> None:
        if current:
            self._load(current)
        elif self._bundles.history():
            raise BundleError("no file names the bundle in use", hint="plait rollback ID does")

    def _keep_problem(self, problem: Exception) -> None:
        reason, self._hint = f"{type(problem).__name__}: {problem}", FIT_HINT
        if isinstance(problem, MissingExtraError):
            reason, self._hint = problem.message, problem.hint
        elif isinstance(problem, PlaitError):
            reason = str(problem)
        self._problem = f"the current bundle does not load: {reason}"
        _log.debug("%s", self._problem)

    def _load_substitute(self, current: str | None) -> None:
        """Load the newest other bundle that can answer; the problem of the current one stays."""
        for bundle in self._bundles.substitutes():
            if bundle != current:
                try:
                    self._load(bundle)
                except Exception as problem:  # noqa: BLE001  the next one is tried
                    _log.debug("bundle %s does not load: %s", bundle, problem)
                    continue
                _log.warning("the current bundle does not load, bundle %s answers", bundle)
                return

    def _load(self, bundle: str) -> None:
        follower = self._follower
        assert follower is not None
        manifest = self._bundles.manifest(bundle)
        follower.catch_up(manifest["version"])
        check_log(bundle, manifest, self._log, follower.state.catalogue.ids)
        pipeline = self._bundles.load(bundle)
        self._log.reserve_kinds(set(pipeline.recipe.event_weights) - {"*"})
        with self._refreshing:
            state = follower.state
            pipeline.follow(state)
            live = StateView(state, deltas(pipeline, state))
            model = LoadedModel(bundle, pipeline, state, live, self._history_limit)
            try_out(model)
            with self._swapping:
                self._loaded, self._with_deltas = model, (pipeline, model.live)
        with self._refreshed:
            self._refreshed.notify_all()

    def _refresh(self) -> None:
        """Bring the deltas up to the newest catalogue; runs in the follower's thread."""
        with self._refreshing:
            if self._with_deltas is None or self._follower is None:
                return
            pipeline, before = self._with_deltas
            state = self._follower.state
            if state is before.state:
                return
            pipeline.follow(state)
            after = StateView(state, deltas(pipeline, state, before))
            with self._swapping:
                self._with_deltas = pipeline, after
                if self._loaded is not None:
                    live = StateView(self._loaded.state, after.deltas)
                    self._loaded = replace(self._loaded, live=live)
        with self._refreshed:
            self._refreshed.notify_all()

    def _has_deltas(self, version: int) -> bool:
        """Whether the stages know the items of `version`."""
        if self._with_deltas is None or self._follower is None:
            return True
        known, newest = self._with_deltas[1].state, self._follower.state
        is_same = known.catalogue is newest.catalogue and newest.version >= version
        return is_same or known.version >= version

    def _run(self) -> None:
        while not self._closing.wait(BUNDLE_POLL):
            self.reload_if_changed()

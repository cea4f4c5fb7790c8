"""The content of a home for people: counts, fields, bundles, weights, memory."""

from __future__ import annotations

import resource
import sys
from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np

from plait.errors import BundleError
from plait.eventlog import EventLog
from plait.pipeline.bundle_store import BundleStore
from plait.ranking.exclusion_rules import Rules
from plait.ranking.sellable_summary import describe_sellable
from plait.state import LiveState
from plait.workspace.live_model import LiveModel

__all__ = ["Describes", "erased_since", "info"]


SESSION = "session:"
"""What the id of a user begins with who is a session without a login."""


@runtime_checkable
class Describes(Protocol):
    """A stage that can say in words and numbers what it has learned: fusion its weights."""

    def describe(self) -> dict[str, Any]:
        """As JSON carries it."""


def info(
    log: EventLog, bundles: BundleStore, engine: LiveModel, *, pseudonyms: bool = False
) -> dict[str, Any]:
    """Describe a home.

    Args:
        log: Its log.
        bundles: Its bundles.
        engine: The host of its model.
        pseudonyms: Whether the log holds pseudonyms, which do not tell sessions from customers.

    Returns:
        Counts, fields, bundles, what was learned, problems and memory, as JSON has them.
    """
    state = engine.state()
    head = log.version
    mib = 1024 * 1024 if sys.platform == "darwin" else 1024  # macOS counts bytes, others KiB
    return {
        "version": head,
        "folded": state.version,
        "items": int(state.catalogue.alive.sum()),
        "users": int(state.users.alive.sum()),
        **_customers(state, pseudonyms),
        "erased_users": len(state.erased),
        "interactions": len(state.events),
        "kinds": _kinds(state),
        "fields": _fields(log),
        "sellable": _sellable(engine, state),
        "bundle": _current(bundles, engine, state, head),
        "bundles": bundles.ids(),
        "fitted_on_erased": [
            bundle_id for bundle_id in bundles.ids() if _knows_erased(bundles, bundle_id, state)
        ],
        "problems": engine.problems(),
        "memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / mib, 1),
    }


def _customers(state: LiveState, pseudonyms: bool) -> dict[str, int | None]:
    """How many of the users are customers, and how many are sessions without a login."""
    if pseudonyms:
        return {"customers": None, "guest_sessions": None}
    alive = [number for number, is_alive in enumerate(state.users.alive.tolist()) if is_alive]
    guests = sum(state.users.ids[number].startswith(SESSION) for number in alive)
    return {"customers": len(alive) - guests, "guest_sessions": guests}


def _sellable(engine: LiveModel, state: LiveState) -> dict[str, Any]:
    """Which items may be shown, by the rules of the recipe in use, else by the usual ones."""
    stages = () if engine.loaded is None else engine.loaded.pipeline.steps
    rules = next((stage for stage in stages if isinstance(stage, Rules)), Rules())
    shown = describe_sellable(state.catalogue, rules.availability_fields).to_dict()
    config = rules.config
    stated = {name: getattr(config, name) for name in ("uncatalogued", "available", "group_by")}
    return {**shown, "rules": stated}


def _fields(log: EventLog) -> dict[str, dict[str, str]]:
    """The types of all fields, of items, users and interactions, as they are stored."""
    types: dict[str, dict[str, str]] = {"item": {}, "user": {}, "interaction": {}}
    for (entity, name), kind in sorted(log.schema().types.items()):
        types.setdefault(entity, {})[name] = kind
    return types


def _kinds(state: LiveState) -> dict[str, int]:
    """How many interactions there are of each kind."""
    counts = np.zeros(len(state.event_types), np.int64)
    for run in state.events.runs:
        counts += np.bincount(run.event_types, minlength=len(counts))
    for rows in (state.events.loose or {}).values():
        for _, kind, _ in rows:
            counts[kind] += 1
    pairs = zip(state.event_types, counts.tolist(), strict=True)
    return {kind: count for kind, count in pairs if count}


def _current(
    bundles: BundleStore, engine: LiveModel, state: LiveState, head: int
) -> dict[str, Any] | None:
    """The bundle in use: where it comes from, how far behind the log it is, what it weighs."""
    current = ""
    try:
        current = bundles.current()
        if not current:
            return None
        manifest = bundles.manifest(current)
    except BundleError as problem:
        return {"id": current, "problem": str(problem)}
    notes = manifest.get("notes", {})
    return {
        "id": current,
        "loaded": engine.bundle == current,
        "recipe": manifest["recipe"]["name"],
        "made": manifest["made"],
        "version": manifest["version"],
        "behind": head - manifest["version"],
        "new_items": int((state.catalogue.changed > manifest["version"]).sum()),
        "fit_seconds": notes.get("seconds", {}),
        "fitted_on": {name: notes.get(name) for name in ("items", "users", "events")},
        "learned": _learned(engine),
        "doubtful_items": notes.get("doubtful_items", []),
        "times_in_the_future": notes.get("times_in_the_future", 0),
        **({"pruned": notes["pruned"]} if notes.get("pruned") else {}),
    }


def _learned(engine: LiveModel) -> Mapping[str, Any]:
    serving = engine.loaded
    if serving is None:
        return {}
    stages = serving.pipeline.stages
    return {stage.name: stage.describe() for stage in stages if isinstance(stage, Describes)}


def erased_since(manifest: Mapping[str, Any], state: LiveState) -> list[int]:
    """Return the users that were erased after a bundle had been fitted on their events.

    Args:
        manifest: The manifest of the bundle.
        state: The state of the log.

    Returns:
        The numbers of the users.
    """
    users = manifest.get("notes", {}).get("users", sys.maxsize)
    version = manifest["version"]
    return [number for offset, number in state.erased if offset > version and number < users]


def _knows_erased(bundles: BundleStore, bundle: str, state: LiveState) -> bool:
    """Whether a user was erased whose events the bundle was fitted on."""
    try:
        return bool(erased_since(bundles.manifest(bundle), state))
    except BundleError:
        return False

"""Answers questions: takes the engine's reference once, and remembers what it showed."""

from __future__ import annotations

import os
import secrets
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import orjson

from plait.data.types import CandidateLists, Query, QueryBatch
from plait.errors import InputError
from plait.eventlog import Impression
from plait.utils.timestamps import iso
from plait.workspace.impression_chains import ImpressionChains, shown_ids, told
from plait.workspace.model_host import LoadedModel, ModelHost
from plait.workspace.query_encoding import group_by_batch_key, require_known_items, validate_query
from plait.workspace.response import Response, impression, listed, places_of, unknown
from plait.workspace.warmup_queries import rehearsal

__all__ = ["QueryService"]

Remembered = tuple[Response, Impression]


class QueryService:
    """Turns `Query` into `Answer`.

    `patience` is how long a question waits for the version it asks for, in seconds; `name_of` what
    a user's outside id is called in the log (a pseudonym, where these are on).
    """

    def __init__(
        self,
        engine: ModelHost,
        memory: ImpressionChains,
        *,
        patience: float = 1.0,
        name_of: Callable[[str], str] = str,
    ) -> None:
        self.worker = f"{os.getpid()}-{secrets.token_hex(2)}"
        self._engine = engine
        self._memory = memory
        self._patience = patience
        self._name_of = name_of

    def ask(
        self, queries: Sequence[Query], *, at_least: int | None = None, route: str = "ask"
    ) -> list[Response]:
        """One answer a question, in their order. Raises what `Shop.ask` says."""
        asked = [self._named(validate_query(one)) for one in queries]
        found = self._answers(asked, [""] * len(asked), at_least, route)
        for _, row in found:
            self._memory.add(row)
        return [answer for answer, _ in found]

    def rehearse(self) -> None:
        """Answer a question of every kind, twice, and forget it: what it takes is loaded then.

        Raises NotReadyError before the first bundle.
        """
        serving = self._engine.serving()
        for query in rehearsal(serving.state) * 2:
            asked, items = serving.ask([query], _nobody)
            answer, _ = self._answer(serving, asked, items, 0, query, ("", "rehearsal", []))
            orjson.dumps(answer.to_dict(), option=orjson.OPT_SERIALIZE_NUMPY)

    def next(self, request_id: str, k: int) -> Response:
        """More of an earlier answer, without repeating anything of its chain.

        Whoever else continues the same chain at the same moment, here or in another process, waits
        or has lost the place, and then goes on behind what the winner showed.
        """
        self._memory.find(request_id)  # which may wait; nobody else shall
        with self._memory.turn(request_id):
            while True:
                answer, row = self._continued(self._memory.chain(request_id), k)
                if self._memory.settle(row):
                    return answer

    def _continued(self, chain: Sequence[Impression], k: int) -> Remembered:
        shown = [one for row in chain for one in shown_ids(row)]
        first = told(chain[0])["query"]
        excluded = dict.fromkeys((*first.get("exclude", ()), *shown))
        user = self._user(chain[0].user)
        query = validate_query(Query(**{**first, "exclude": (), "k": k, "user": user}))
        query = replace(query, exclude=tuple(excluded))
        if query.candidates is not None:
            left = tuple(one for one in query.candidates if one not in excluded)
            query = replace(query, candidates=left)
        continued = f"{chain[0].request_id}-{len(chain)}"
        return self._answers([query], [continued], None, "next")[0]

    def explain_request(self, request_id: str) -> dict[str, Any]:
        """Everything that is remembered of an answer."""
        row = self._memory.find(request_id)
        return {
            "request_id": row.request_id,
            "route": row.route,
            "time": iso(row.time),
            "user": self._user(row.user),
            "bundle": row.bundle,
            "version": row.version,
            **told(row),
        }

    def _user(self, number: int) -> str | None:
        """The user whose number an impression remembers; None if unknown or erased."""
        users = self._engine.state().users
        return (users.ids[number] or None) if 0 <= number < len(users) else None

    def _named(self, query: Query) -> Query:
        return query if query.user is None else replace(query, user=self._name_of(query.user))

    def _answers(
        self, queries: Sequence[Query], ids: Sequence[str], at_least: int | None, route: str
    ) -> list[Remembered]:
        degraded = [] if self._is_fresh(at_least) else ["stale"]
        serving = self._engine.serving()
        for query in queries:
            require_known_items(query.items, serving.state.catalogue)
        answers: dict[int, Remembered] = {}
        for places in group_by_batch_key(queries):
            group = [queries[place] for place in places]
            asked, items = serving.ask(group, self._engine.watch)
            for row, place in enumerate(places):
                answers[place] = self._answer(
                    serving, asked, items, row, group[row], (ids[place], route, degraded)
                )
        return [answers[place] for place in range(len(queries))]

    def _answer(
        self,
        serving: LoadedModel,
        asked: QueryBatch,
        items: CandidateLists,
        row: int,
        query: Query,
        rest: tuple[str, str, list[str]],
    ) -> Remembered:
        given, route, degraded = rest
        catalogue = serving.state.catalogue
        places = places_of(items, row, query.k)
        shown = listed(items, row, places, catalogue)
        if query.candidates is not None:
            strange = [one for one in dict.fromkeys(query.candidates) if catalogue.number(one) < 0]
            shown += unknown(strange[: query.k - len(shown)])
        answer = Response(
            given or uuid.uuid4().hex,
            serving.bundle,
            serving.state.version,
            self.worker,
            shown,
            list(degraded),
        )
        payload = orjson.dumps(
            impression(query, items, row, places, answer), option=orjson.OPT_SERIALIZE_NUMPY
        ).decode()
        return answer, Impression(
            answer.request_id,
            time.time_ns() // 1000,
            int(asked.users[row]),
            route,
            serving.bundle,
            serving.state.version,
            payload,
        )

    def _is_fresh(self, at_least: Any) -> bool:
        """Whether the state is as new as it should be; waits for `at_least`."""
        if at_least is None:
            return not self._engine.is_behind
        if isinstance(at_least, bool) or not isinstance(at_least, int | np.integer) or at_least < 0:
            raise InputError(
                f"at_least is {at_least!r}",
                hint="give a version that a write answered with",
                field="at_least",
            )
        return self._engine.wait_for(int(at_least), self._patience)


def _nobody(_name: str, _seconds: float) -> None:
    """Watches nothing."""

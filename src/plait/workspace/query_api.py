"""What can be asked of an open home."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from plait.data.types import Query
from plait.errors import InputError
from plait.utils.timestamps import to_micros
from plait.workspace.query_service import QueryService
from plait.workspace.response import Response

__all__ = ["Questions"]

Seen = Literal["keep", "remove"]


class Questions:
    """The asking half of a `Shop`: recommend, search, similar, rank, next, why, ask."""

    _answering: QueryService

    def recommend(
        self,
        user: str | None = None,
        k: int = 10,
        *,
        history: Iterable[str] = (),
        filter: str | None = None,  # noqa: A002  the name that callers know
        exclude: Iterable[str] = (),
        context: Mapping[str, Any] | None = None,
        seen: Seen | None = None,
        at_least: int | None = None,
        time: Any = None,
    ) -> Response:
        """Items for a user, known or not.

        `history` are items of this session that the log does not know yet, oldest first; `exclude`
        must not come; `seen` "keep" or "remove" overrules the recipe; `at_least` waits for a
        version. Raises InputError (FilterError) for what is wrong with the question, NotReadyError
        before the first fit.
        """
        query = _query(user, k, history, filter, exclude, context, seen, time)
        return self._one(query, at_least, "recommend")

    def search(
        self,
        text: str,
        *,
        user: str | None = None,
        k: int = 10,
        history: Iterable[str] = (),
        filter: str | None = None,  # noqa: A002  the name that callers know
        exclude: Iterable[str] = (),
        context: Mapping[str, Any] | None = None,
        seen: Seen | None = "keep",
        at_least: int | None = None,
        time: Any = None,
    ) -> Response:
        """Items for words, steered by the user; what the user has seen may be found again."""
        if not str(text or "").strip():
            raise InputError("text is empty", hint="give the words to look for", field="text")
        query = _query(user, k, history, filter, exclude, context, seen, time, text=text)
        return self._one(query, at_least, "search")

    def similar(
        self,
        item: str,
        *,
        user: str | None = None,
        k: int = 10,
        history: Iterable[str] = (),
        filter: str | None = None,  # noqa: A002  the name that callers know
        exclude: Iterable[str] = (),
        context: Mapping[str, Any] | None = None,
        seen: Seen | None = "keep",
        at_least: int | None = None,
        time: Any = None,
    ) -> Response:
        """Items like one item, which itself is not among them. NotFoundError for an unknown one."""
        query = _query(user, k, history, filter, exclude, context, seen, time, items=(item,))
        return self._one(query, at_least, "similar")

    def rank(
        self,
        user: str | None,
        items: Iterable[str],
        *,
        k: int | None = None,
        history: Iterable[str] = (),
        filter: str | None = None,  # noqa: A002  the name that callers know
        exclude: Iterable[str] = (),
        context: Mapping[str, Any] | None = None,
        seen: Seen | None = "keep",
        at_least: int | None = None,
        time: Any = None,
    ) -> Response:
        """The caller's items in the order that suits the user.

        Deleted, hidden, filtered and excluded ones are left out; unknown ones stand last, without a
        score and with the reason "unknown item". `k`: only the first so many.
        """
        if isinstance(items, str) or not isinstance(items, Iterable):
            raise InputError("items is no list of ids", hint='like ["a", "b"]', field="items")
        listed = tuple(items)
        if not listed:
            raise InputError("items is empty", hint="give the items to order", field="items")
        most = len(listed) if k is None else k
        query = _query(user, most, history, filter, exclude, context, seen, time, candidates=listed)
        return self._one(query, at_least, "rank")

    def next(self, request_id: str, k: int = 10) -> Response:
        """More of an earlier answer: nothing that any answer of its chain has shown.

        NotFoundError for a request that nobody remembers.
        """
        return self._answering.next(request_id, k)

    def why(self, request_id: str) -> dict[str, Any]:
        """An earlier answer as it was: the question, what was shown, what each strand said."""
        return self._answering.explain_request(request_id)

    def ask(self, queries: Sequence[Query], *, at_least: int | None = None) -> list[Response]:
        """One answer a question, computed as one batch where they have a shape in common."""
        return self._answering.ask(queries, at_least=at_least)

    def warm_up(self) -> None:
        """Answer a question of every kind and forget it, so that no first asker waits for what is
        loaded late (the Chinese dictionary alone takes a second); servers do so before they are
        ready. NotReadyError before the first fit.
        """
        self._answering.rehearse()

    def _one(self, query: Query, at_least: int | None, route: str) -> Response:
        return self._answering.ask([query], at_least=at_least, route=route)[0]


def _query(
    user: str | None,
    k: int,
    history: Iterable[str],
    filter: str | None,  # noqa: A002  the name that callers know
    exclude: Iterable[str],
    context: Mapping[str, Any] | None,
    seen: Seen | None,
    time: Any,
    *,
    text: str | None = None,
    items: tuple[str, ...] = (),
    candidates: tuple[str, ...] | None = None,
) -> Query:
    """The question; what it holds is checked when it is asked."""
    return Query(
        user=user,
        history=history,  # type: ignore[arg-type]
        text=text,
        items=items,
        candidates=candidates,
        context={} if context is None else context,
        filter=filter,
        exclude=exclude,  # type: ignore[arg-type]
        k=k,
        seen=seen,
        time=None if time is None else to_micros(time),
    )

"""Bodies of many rows, as {"events": [...]} or as NDJSON, and the status of each row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from plait.server.http.json_body import SMALL_BODY, rows_of_body
from plait.server.http.ndjson import is_lines, lines_of, rows_of
from plait.server.http.rate_limits import KeyNameBudget
from plait.server.http.workspace_service import Service

__all__ = ["append_rows"]

Append = Callable[..., tuple[int, list[dict[str, Any]]]]
Pay = Callable[[Sequence[Any]], None]


async def append_rows(request: Request, name: str, append: Append) -> Response:
    """Append the rows of a body, each of which is checked by itself.

    Args:
        request: The request.
        name: The name of the list in a JSON body.
        append: Stores rows; returns the version and what became of each row.

    Returns:
        The response: `version` and `rows`.

    Raises:
        InputError: If the body is neither.
        RateLimitError: If a user posts too much by a key that may post events alone.
        TooLargeError: If it has more than `batch_limit` rows.
    """
    service: Service = request.app.state.service
    limit = service.settings.batch_limit
    names = partial(KeyNameBudget, service.limits, request.state.key)
    append = partial(append, names=names)
    pay = partial(service.limits.pay_rows, request.state.key, request.state.granted)
    paid = 0 if request.state.granted == {"events"} else 1  # rows that the request itself pays for
    if is_lines(request):
        call = partial(_append_lines, append, pay, await lines_of(request, limit, name))
    else:
        raw = await request.body()
        if len(raw) > SMALL_BODY:
            parsed = await service.parse(partial(rows_of_body, raw, name, limit))
            call = partial(_append_body, append, pay, paid, lambda: parsed)
        else:
            call = partial(_append_body, append, pay, paid, partial(rows_of_body, raw, name, limit))
    version, rows = await service.wait(call)
    if name == "events":
        service.metrics.rows(row["status"] for row in rows)
    content = orjson.dumps({"version": version, "rows": rows})
    return Response(content, media_type="application/json")


def _append_body(
    append: Append, pay: Pay, paid: int, rows_of_request: Callable[[], list[Any]]
) -> tuple[int, list[dict[str, Any]]]:
    """The rows of {"events": [...]}; those that the request itself does not pay for are paid."""
    rows = rows_of_request()
    if len(rows) > paid:
        pay(rows)
    return append(rows)


def _append_lines(append: Append, pay: Pay, lines: list[bytes]) -> tuple[int, list[dict[str, Any]]]:
    """The rows of NDJSON; a line that is not JSON is one more row that is rejected."""
    rows, errors = rows_of(lines)
    pay(rows)
    version, statuses = append(rows)
    for index, error in errors.items():
        statuses[index]["error"] = error
    return version, statuses

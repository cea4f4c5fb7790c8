"""Bodies of many rows, as {"events": [...]} or as NDJSON, and the status of each row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from plait.server.http.dependencies import reply
from plait.server.http.json_body import SMALL_BODY, rows_of_body
from plait.server.http.ndjson import is_lines, lines_of, rows_of
from plait.server.http.workspace_service import Service

__all__ = ["append_rows"]

Append = Callable[[Sequence[Any]], tuple[int, list[dict[str, Any]]]]


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
        TooLargeError: If it has more than `batch_limit` rows.
    """
    service: Service = request.app.state.service
    limit = service.settings.batch_limit
    if is_lines(request):
        lines = await lines_of(request, limit, name)
        version, rows = await service.wait(partial(_append_lines, append, lines))
    else:
        raw = await request.body()
        if len(raw) > SMALL_BODY:
            body = await service.parse(partial(rows_of_body, raw, name, limit))
            version, rows = await service.wait(partial(append, body))
        else:
            version, rows = await service.wait(lambda: append(rows_of_body(raw, name, limit)))
    if name == "events":
        service.metrics.rows(row["status"] for row in rows)
    return reply({"version": version, "rows": rows})


def _append_lines(append: Append, lines: list[bytes]) -> tuple[int, list[dict[str, Any]]]:
    """The rows of NDJSON; a line that is not JSON is one more row that is rejected."""
    rows, errors = rows_of(lines)
    version, statuses = append(rows)
    for index, error in errors.items():
        statuses[index]["error"] = error
    return version, statuses

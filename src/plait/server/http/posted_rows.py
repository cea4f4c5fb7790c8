"""Bodies of many rows, as {"events": [...]} or as NDJSON, and the status of each row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from plait.errors import InputError
from plait.server.http.dependencies import reply
from plait.server.http.json_body import object_of
from plait.server.http.ndjson import is_lines, lines_of, rows_of
from plait.server.http.request_limits import too_many_rows
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
        version, rows = await service.wait(partial(_append_body, append, raw, name, limit))
    if name == "events":
        service.metrics.rows(row["status"] for row in rows)
    return reply({"version": version, "rows": rows})


def _append_body(
    append: Append, raw: bytes, name: str, limit: int
) -> tuple[int, list[dict[str, Any]]]:
    """The rows of {"events": [...]}."""
    body = object_of(raw)
    for key in body:
        if key != name:
            raise InputError(f"there is no field {key!r}", hint=f"fields are {name}", field=key)
    rows = body.get(name)
    if not isinstance(rows, list):
        raise InputError(f"{name} is not a list", hint=f'send {{"{name}": [...]}}', field=name)
    if len(rows) > limit:
        raise too_many_rows(name, len(rows), limit)
    return append(rows)


def _append_lines(append: Append, lines: list[bytes]) -> tuple[int, list[dict[str, Any]]]:
    """The rows of NDJSON; a line that is not JSON is one more row that is rejected."""
    rows, errors = rows_of(lines)
    version, statuses = append(rows)
    for index, error in errors.items():
        statuses[index]["error"] = error
    return version, statuses

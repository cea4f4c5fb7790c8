"""POST /v1/events: append events."""

from __future__ import annotations

from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from plait.errors import InputError
from plait.server.http.ndjson import is_lines, lines_of, rows_of
from plait.server.http.request_limits import too_many_rows
from plait.server.http.request_models import EventRow, Events, object_of
from plait.server.http.response_models import EventsResponse
from plait.server.http.route import Route, reply
from plait.server.http.workspace_service import Service

__all__ = ["ROUTES"]


async def post_events(request: Request) -> Response:
    """Append a batch of events; safe to retry.

    The body is {"events": [...]}, or one event a line as application/x-ndjson. Every row gets a
    status: stored, duplicate (was there before), conflict (the same id with other content) or
    rejected (with the reason). One bad row does not stop the others. `version` is the place in the
    log that `at_least` of a later query may name.
    """
    service: Service = request.app.state.service
    if is_lines(request):
        lines = await lines_of(request, service.settings.batch_limit)
        version, rows = await service.wait(partial(_append_lines, service, lines))
    else:
        raw = await request.body()
        version, rows = await service.wait(partial(_append_body, service, raw))
    service.metrics.rows(row["status"] for row in rows)
    return reply({"version": version, "rows": rows})


def _append_body(service: Service, raw: bytes) -> tuple[int, list[dict[str, Any]]]:
    """The rows of {"events": [...]}; each of them is checked by itself, later."""
    body = object_of(raw)
    for name in body:
        if name != "events":
            raise InputError(f"there is no field {name!r}", hint="fields are events", field=name)
    events = body.get("events")
    if not isinstance(events, list):
        raise InputError("events is not a list", hint='send {"events": [...]}', field="events")
    if len(events) > service.settings.batch_limit:
        raise too_many_rows("events", len(events), service.settings.batch_limit)
    return service.post_events(events)


def _append_lines(service: Service, lines: list[bytes]) -> tuple[int, list[dict[str, Any]]]:
    """The rows of NDJSON; a line that is not JSON is one more row that is rejected."""
    rows, errors = rows_of(lines)
    version, statuses = service.post_events(rows)
    for index, error in errors.items():
        statuses[index]["error"] = error
    return version, statuses


ROUTES = (
    Route(
        "POST",
        "/v1/events",
        "ingest",
        "Append events",
        post_events,
        Events,
        lines=EventRow,
        response=EventsResponse,
        also=("events",),
    ),
)

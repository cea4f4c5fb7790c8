"""POST /v1/events: append events."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from plait.server.http.posted_rows import append_rows
from plait.server.http.request_models import EventRow, Events
from plait.server.http.response_models import EventsResponse
from plait.server.http.route import Route

__all__ = ["ROUTES"]


async def post_events(request: Request) -> Response:
    """Append a batch of events; safe to retry.

    The body is {"events": [...]}, or one event a line as application/x-ndjson. Every row gets a
    status: stored, duplicate (was there before), conflict (the same id with other content) or
    rejected (with the reason). One bad row does not stop the others. `version` is the place in the
    log that `at_least` of a later query may name.
    """
    return await append_rows(request, "events", request.app.state.service.workspace.post)


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
    ),
)

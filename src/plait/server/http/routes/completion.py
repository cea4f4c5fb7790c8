"""POST /v1/complete: how a text that is being typed goes on."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response

from plait.server.http.dependencies import json_body, reply, service_of
from plait.server.http.request_models import Complete
from plait.server.http.response_models import CompletionsResponse
from plait.server.http.route import Route

__all__ = ["ROUTES"]


async def complete(
    request: Request, body: Annotated[Complete, Depends(json_body(Complete))]
) -> Response:
    """The last word of a text, completed by the words of the items.

    Nothing is remembered. Only words are returned of which an item also has those before; where no
    word begins as typed, those whose beginning differs by one error.
    """
    completions = await service_of(request).complete(body.text, body.k)
    return reply({"completions": [completion.to_dict() for completion in completions]})


ROUTES = (
    Route(
        "POST",
        "/v1/complete",
        "read",
        "Complete a text",
        complete,
        Complete,
        response=CompletionsResponse,
        operation_id="complete",
    ),
)

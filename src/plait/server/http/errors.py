"""The one shape of every error: {"error": {"code", "message", "hint", "field"}}."""

from __future__ import annotations

import logging
import math
from http import HTTPStatus

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match, Route

from plait.errors import (
    AuthError,
    InputError,
    NotReadyError,
    PlaitError,
    RateLimitError,
    SlowClientError,
    TooLargeError,
)

__all__ = ["answer_errors", "error_content", "error_response", "internal_error"]

_log = logging.getLogger(__name__)

_HINTS = {
    404: "see /docs for the routes there are",
    405: "see /docs for the methods of each route",
}


def answer_errors(app: FastAPI) -> None:
    """Register the handlers that respond to every expected error in the one shape.

    Args:
        app: The application.
    """
    app.add_exception_handler(PlaitError, _plait)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _validation)


def error_response(problem: PlaitError) -> Response:
    """Make the response for an error.

    Args:
        problem: The error.

    Returns:
        A response with the error's status and the headers that belong to it.
    """
    headers = {}
    if isinstance(problem, AuthError):
        headers["www-authenticate"] = "Bearer"
    if isinstance(problem, NotReadyError):
        headers["retry-after"] = "1"
    if isinstance(problem, RateLimitError):
        headers["retry-after"] = str(math.ceil(problem.retry_after_s))
    if isinstance(problem, TooLargeError | SlowClientError):  # what is left of it stays unread
        headers["connection"] = "close"
    details = (problem.code, problem.public, problem.hint, problem.field)
    return _shaped(problem.status, *details, headers=headers)


def error_content(code: str, message: str, hint: str, field: str) -> bytes:
    """Encode the body of an error response.

    Args:
        code: The error's code, such as "input".
        message: What is wrong.
        hint: The next step.
        field: The field at fault, or "".

    Returns:
        JSON.
    """
    error = {"code": code, "message": message, "hint": hint, "field": field}
    return orjson.dumps({"error": error})


def internal_error(request_id: str) -> Response:
    """Make the response for an unexpected exception, which reveals nothing of it.

    Args:
        request_id: The id under which the server's log has the details.

    Returns:
        A response with status 500.
    """
    return _shaped(
        500,
        "internal",
        "the server failed to answer this request",
        f"the server's log has the details under {request_id}",
        "",
    )


def _shaped(
    status: int,
    code: str,
    message: str,
    hint: str,
    field: str,
    *,
    headers: dict[str, str] | None = None,
) -> Response:
    content = error_content(code, message, hint, field)
    return Response(content, status, headers=headers, media_type="application/json")


async def _plait(_request: Request, problem: Exception) -> Response:
    assert isinstance(problem, PlaitError)
    if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR and not isinstance(
        problem, NotReadyError
    ):
        _log.error("%s: %s", problem.code, problem)
    return error_response(problem)


async def _http(request: Request, problem: Exception) -> Response:
    """What the router says itself: no such path, no such method."""
    assert isinstance(problem, HTTPException)
    status = HTTPStatus(problem.status_code)
    headers = dict(problem.headers or {})
    if status == HTTPStatus.METHOD_NOT_ALLOWED:  # the router names the methods of one route
        routes = [route for route in request.app.routes if isinstance(route, Route)]
        methods = {
            method
            for route in routes
            if route.matches(request.scope)[0] is not Match.NONE
            for method in route.methods or ()
        }
        headers["Allow"] = ", ".join(sorted(methods))
    return _shaped(
        status,
        status.name.lower(),
        str(problem.detail),
        _HINTS.get(status, ""),
        "",
        headers=headers,
    )


async def _validation(_request: Request, problem: Exception) -> Response:
    assert isinstance(problem, RequestValidationError)
    first = problem.errors()[0]
    place = ".".join(str(part) for part in first["loc"][1:])
    return error_response(InputError(f"{place}: {first['msg']}", field=place))

"""Reads bodies and parameters for endpoints, and renders their responses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar
from urllib.parse import unquote_to_bytes

import orjson
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from plait.errors import InputError
from plait.server.http.json_body import SMALL_BODY, object_of, parsed
from plait.server.http.workspace_service import Service

__all__ = ["json_body", "json_object", "path_id", "reply", "service_of"]

BodyT = TypeVar("BodyT", bound=BaseModel)


def json_body(model: type[BodyT]) -> Callable[[Request], Awaitable[BodyT]]:
    """Make the dependency that reads a request body, regardless of its content type.

    Args:
        model: The model of the body.

    Returns:
        A dependency that raises InputError or TooLargeError, which name the field at fault.
    """

    async def read(request: Request) -> BodyT:
        raw = await request.body()
        if len(raw) <= SMALL_BODY:
            return parsed(model, raw)
        return await service_of(request).parse(partial(parsed, model, raw))

    return read


async def json_object(request: Request) -> dict[str, Any]:
    """Read a body with fields of the caller's choice; a dependency.

    Args:
        request: The request.

    Returns:
        The JSON object.

    Raises:
        InputError: If the body is not a JSON object.
    """
    raw = await request.body()
    if len(raw) <= SMALL_BODY:
        return object_of(raw)
    return await service_of(request).parse(partial(object_of, raw))


def service_of(request: Request) -> Service:
    """Return what the routes of this process stand on; a dependency too.

    Args:
        request: Any request.

    Returns:
        The service of the application.
    """
    service: Service = request.app.state.service
    return service


def reply(value: Any, status: int = 200) -> Response:
    """Respond with JSON.

    Args:
        value: The content; NaN becomes null.
        status: The HTTP status.

    Returns:
        The response.
    """
    content = orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)
    return Response(content, status, media_type="application/json")


def path_id(request: Request) -> str:
    """Read the external id at the end of the path, `{id:text}`; a dependency.

    Args:
        request: The request.

    Returns:
        The id, slashes and line breaks included.

    Raises:
        InputError: If the id is empty, holds a NUL character, which no log can store, or percent
            escapes that are not UTF-8: two of those would otherwise become one id.
    """
    external_id = str(request.path_params["id"])
    if not external_id:
        raise InputError("the path ends without an id", field="id")
    if "\0" in external_id:
        raise InputError("the id in the path holds a NUL character", field="id")
    if "\ufffd" in external_id:
        try:
            unquote_to_bytes(request.scope["raw_path"]).decode("utf-8")
        except UnicodeDecodeError:
            raise InputError("the id in the path is not UTF-8", field="id") from None
    return external_id

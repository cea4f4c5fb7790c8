"""What a route is: a method, a path, a permission and a function of a few lines."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

import orjson
from pydantic import BaseModel
from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import Response

from plait.errors import InputError
from plait.server.http.auth import Permission
from plait.server.http.schemas import Body
from plait.server.http.service import Service

__all__ = ["Route", "path_id", "reply", "service_of"]


class _AnyText(Convertor[str]):
    """Slashes and line breaks too, where Starlette's `path` ends: what was stored can be erased."""

    regex = "(?s:.*)"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("text", _AnyText())


@dataclass(frozen=True, slots=True)
class Route:
    """One row of the routes table."""

    method: str
    path: str
    permission: Permission
    summary: str
    endpoint: Callable[..., Awaitable[Response]]
    body: type[Body] | None = None
    """What the request carries; None for none, or for any JSON object (see `free`)."""
    free: bool = False
    """The body is a JSON object of the caller's own fields."""
    lines: type[BaseModel] | None = None
    """What each line holds, where the body may also be NDJSON."""


def service_of(request: Request) -> Service:
    """What the routes of this process stand on."""
    service: Service = request.app.state.service
    return service


def reply(value: Any, status: int = 200) -> Response:
    """`value` as JSON; NaN becomes null."""
    content = orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)
    return Response(content, status, media_type="application/json")


def path_id(request: Request) -> str:
    """The outside id at the end of the path, `{id:text}`: slashes and line breaks included.

    Raises InputError for an empty id, for NUL characters, which no log can hold, and for percent
    escapes that are not UTF-8: two of those would otherwise become one id.
    """
    found = str(request.path_params["id"])
    if not found:
        raise InputError("the path ends without an id", field="id")
    if "\0" in found:
        raise InputError("the id in the path holds a NUL character", field="id")
    if "\ufffd" in found:
        try:
            unquote_to_bytes(request.scope["raw_path"]).decode("utf-8")
        except UnicodeDecodeError:
            raise InputError("the id in the path is not UTF-8", field="id") from None
    return found

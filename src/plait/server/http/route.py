"""A route: method, path, permission, function, and the types of its bodies."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from pydantic import BaseModel
from starlette.convertors import Convertor, register_url_convertor
from starlette.responses import Response

from plait.server.http.auth import Permission

__all__ = ["Route"]


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
    """One row of the routes table.

    Attributes:
        method: The HTTP method.
        path: The path, with placeholders.
        permission: The scope that a key needs.
        summary: One line for the documentation.
        endpoint: The function.
        body: The model of the request body; None for none, or for any JSON object (see `free`).
        free: Whether the body is a JSON object of the caller's own fields.
        lines: The model of each line, where the body may also be NDJSON.
        response: The model of the response; None where it is no JSON object.
        media_type: The media type of a response that is no JSON object.
        operation_id: The name in the OpenAPI document; "" for that of the endpoint.
        also: Scopes that suffice beside `permission`.
    """

    method: str
    path: str
    permission: Permission
    summary: str
    endpoint: Callable[..., Awaitable[Response]]
    body: type[BaseModel] | None = None
    free: bool = False
    lines: type[BaseModel] | None = None
    response: type[BaseModel] | None = None
    media_type: str = ""
    operation_id: str = ""
    also: tuple[Permission, ...] = ()

"""/openapi.json and /docs: what the routes are. Open, because they hold nothing of the shop's.

The page is plain HTML made here: it loads no script from elsewhere, so it also works offline.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from fastapi import FastAPI
from pydantic.json_schema import models_json_schema
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from plait.server.http.ndjson import MEDIA_TYPE
from plait.server.http.route import Route, reply

__all__ = ["ROUTES", "describe", "operation"]

_REF = "#/components/schemas/{model}"
_ERROR: dict[str, Any] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "hint", "field"],
            "properties": {
                name: {"type": "string"} for name in ("code", "message", "hint", "field")
            },
        }
    },
}
_SECURITY = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}
_STYLE = """body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem}
code,pre{font-family:ui-monospace,monospace;font-size:.9em}
section{border-top:1px solid #ccc;padding:.5rem 0}
table{border-collapse:collapse}td{padding:.1rem 1rem .1rem 0;vertical-align:top}"""


async def openapi(request: Request) -> Response:
    """The routes as OpenAPI, for tools."""
    return reply(request.app.openapi())


async def page(request: Request) -> Response:
    """The routes as a page, for people."""
    return HTMLResponse(
        _page(request.app.openapi()),
        headers={"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'"},
    )


ROUTES = (
    Route("GET", "/docs", "open", "The routes, as a page", page),
    Route("GET", "/openapi.json", "open", "The routes, as OpenAPI", openapi),
)


def operation(route: Route) -> dict[str, Any]:
    """What OpenAPI says of `route` beyond its path and summary."""
    said: dict[str, Any] = {"x-permission": route.permission}
    said["responses"] = {"default": {"description": "Error", "content": _json(_named("Error"))}}
    if route.permission != "open":
        said["security"] = [{name: []} for name in _SECURITY]
    if route.body is not None or route.free:
        schema = _named(route.body.__name__) if route.body else {"type": "object"}
        content = _json(schema)
        if route.lines is not None:
            content[MEDIA_TYPE] = {"schema": _named(route.lines.__name__)}
        said["requestBody"] = {"required": True, "content": content}
    parameters = [part[1:-1] for part in route.path.split("/") if part.startswith("{")]
    said["parameters"] = [
        {
            "name": name.partition(":")[0],
            "in": "path",
            "required": True,
            "schema": {"type": "string"},
        }
        for name in parameters
    ]
    return said


def describe(app: FastAPI, routes: Sequence[Route]) -> None:
    """Have `app.openapi()` hold the models of the bodies and the shape of the errors."""
    generated = app.openapi
    made: dict[str, Any] = {}

    def whole() -> dict[str, Any]:
        if not made:
            models = [(one.body, "validation") for one in routes if one.body is not None]
            _, schemas = models_json_schema(models, ref_template=_REF)  # type: ignore[arg-type]
            made.update(generated())
            parts = made.setdefault("components", {})
            parts["schemas"] = {**schemas.get("$defs", {}), "Error": _ERROR}
            parts["securitySchemes"] = _SECURITY
        return made

    app.openapi = whole  # type: ignore[method-assign]


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _named(model: str) -> dict[str, Any]:
    return {"$ref": _REF.format(model=model)}


def _page(api: dict[str, Any]) -> str:
    schemas = api["components"]["schemas"]
    parts = [
        _section(method.upper(), path, said, schemas)
        for path, methods in api["paths"].items()
        for method, said in methods.items()
    ]
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        f"<title>{escape(api['info']['title'])}</title><style>{_STYLE}</style>"
        f"<h1>{escape(api['info']['title'])} {escape(api['info']['version'])}</h1>"
        f"<p>{escape(api['info']['description'])}</p>{''.join(parts)}</html>"
    )


def _section(method: str, path: str, said: dict[str, Any], schemas: dict[str, Any]) -> str:
    fields = _fields(said.get("requestBody"), schemas)
    return (
        f"<section><h2><code>{method} {escape(path)}</code></h2>"
        f"<p>{escape(said.get('description', said['summary']))}</p>"
        f"<p>Permission: {escape(said['x-permission'])}</p>{fields}</section>"
    )


def _fields(body: dict[str, Any] | None, schemas: dict[str, Any]) -> str:
    if body is None:
        return ""
    schema = body["content"]["application/json"]["schema"]
    if "$ref" not in schema:
        return "<p>Body: a JSON object with the fields of your choice.</p>"
    model = schemas[schema["$ref"].rpartition("/")[2]]
    rows = "".join(
        f"<tr><td><code>{escape(name)}</code></td>"
        f"<td>{'needed' if name in model.get('required', ()) else ''}</td>"
        f"<td>{escape(said.get('description', ''))}</td></tr>"
        for name, said in model["properties"].items()
    )
    return f"<table>{rows}</table>"

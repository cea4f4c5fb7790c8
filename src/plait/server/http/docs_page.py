"""The routes as a page: plain HTML, because FastAPI's own page loads scripts from elsewhere."""

from __future__ import annotations

from html import escape
from typing import Any

__all__ = ["docs_page"]

_STYLE = """body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem}
code,pre{font-family:ui-monospace,monospace;font-size:.9em}
section{border-top:1px solid #ccc;padding:.5rem 0}
table{border-collapse:collapse}td{padding:.1rem 1rem .1rem 0;vertical-align:top}"""


def docs_page(api: dict[str, Any]) -> str:
    """Write the routes of an OpenAPI document as a page.

    Args:
        api: The document.

    Returns:
        HTML.
    """
    schemas = api["components"]["schemas"]
    sections = [
        f"<section><h2><code>{method.upper()} {escape(path)}</code></h2>"
        f"<p>{escape(operation.get('description', operation['summary']))}</p>"
        f"<p>Permission: {escape(' or '.join(permissions))}</p>"
        f"{_body_table(operation.get('requestBody'), schemas)}</section>"
        for path, methods in api["paths"].items()
        for method, operation in methods.items()
        for permissions in [(operation["x-permission"], *operation.get("x-also", ()))]
    ]
    info = {name: escape(text) for name, text in api["info"].items()}
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        f"<title>{info['title']}</title><style>{_STYLE}</style>"
        f"<h1>{info['title']} {info['version']}</h1>"
        f"<p>{info['description']}</p>{''.join(sections)}</html>"
    )


def _body_table(body: dict[str, Any] | None, schemas: dict[str, Any]) -> str:
    if body is None:
        return ""
    schema = body["content"]["application/json"]["schema"]
    if "$ref" not in schema:
        return "<p>Body: a JSON object with the fields of your choice.</p>"
    model = schemas[schema["$ref"].rpartition("/")[2]]
    rows = "".join(
        f"<tr><td><code>{escape(name)}</code></td>"
        f"<td>{'needed' if name in model.get('required', ()) else ''}</td>"
        f"<td>{escape(field.get('description', ''))}</td></tr>"
        for name, field in model["properties"].items()
    )
    return f"<table>{rows}</table>"

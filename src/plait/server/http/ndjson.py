"""Bodies of one JSON object a line (NDJSON): read as they come, each line judged by itself."""

from __future__ import annotations

from typing import Any

import orjson
from starlette.requests import Request

from plait.errors import TooLargeError
from plait.server.http.schemas import DEEPEST, is_too_deep

__all__ = ["MEDIA_TYPE", "is_lines", "lines_of", "rows_of"]

MEDIA_TYPE = "application/x-ndjson"
_TYPES = (MEDIA_TYPE, "application/ndjson", "application/jsonl")
_BOM = b"\xef\xbb\xbf"


def is_lines(request: Request) -> bool:
    """Whether the body says that it is lines."""
    said = request.headers.get("content-type", "")
    return said.partition(";")[0].strip().lower() in _TYPES


async def lines_of(request: Request, limit: int) -> list[bytes]:
    """The lines of a body that are not empty; TooLargeError as soon as there are more than `limit`.

    Nothing is stored before the last line has come: a body that breaks off can be sent again.
    """
    found: list[bytes] = []
    rest = bytearray()
    async for chunk in request.stream():
        rest += chunk
        if b"\n" in chunk:
            *whole, last = bytes(rest).split(b"\n")
            found += [one for one in whole if one.strip()]
            rest = bytearray(last)
        if len(found) > limit:
            break
    if rest.strip():
        found.append(bytes(rest))
    if len(found) > limit:
        raise TooLargeError(
            f"the body has more than {limit} lines",
            hint="send several smaller requests, or raise batch_limit",
            field="events",
        )
    return found


def rows_of(lines: list[bytes]) -> tuple[list[Any], dict[int, str]]:
    """The values of the lines, and by place what is wrong with those that are none (null here)."""
    rows: list[Any] = []
    wrong: dict[int, str] = {}
    for place, line in enumerate(lines):
        value: Any = None
        try:
            value = orjson.loads(line.removeprefix(_BOM) if place == 0 else line)
        except orjson.JSONDecodeError as problem:
            wrong[place] = f"expected one JSON object in UTF-8: {problem}"
        if line.count(b"[") + line.count(b"{") > DEEPEST and is_too_deep(value):
            value, wrong[place] = None, f"expected an object of at most {DEEPEST} levels"
        rows.append(value)
    return rows, wrong

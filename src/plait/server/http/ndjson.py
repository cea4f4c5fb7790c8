"""Reads bodies of one JSON object a line (NDJSON) as they arrive; checks each line by itself."""

from __future__ import annotations

from typing import Any

import orjson
from starlette.requests import Request

from plait.errors import InputError, TooLargeError
from plait.server.http.json_body import MAX_ROW_VALUES, check_shape
from plait.server.http.request_limits import too_many_values

__all__ = ["MEDIA_TYPE", "is_lines", "lines_of", "rows_of"]

MEDIA_TYPE = "application/x-ndjson"
_TYPES = (MEDIA_TYPE, "application/ndjson", "application/jsonl")
_BOM = b"\xef\xbb\xbf"


def is_lines(request: Request) -> bool:
    """Return whether the content type of a request is NDJSON.

    Args:
        request: The request.
    """
    content_type = request.headers.get("content-type", "")
    return content_type.partition(";")[0].strip().lower() in _TYPES


async def lines_of(request: Request, limit: int, field: str) -> list[bytes]:
    """Read the lines of a body.

    Nothing is stored before the last line has come: a body that breaks off can be sent again.

    Args:
        request: The request.
        limit: The most lines.
        field: What an error calls the rows.

    Returns:
        The lines that are not empty.

    Raises:
        TooLargeError: As soon as there are more than `limit` lines.
    """
    lines: list[bytes] = []
    unfinished = bytearray()
    async for chunk in request.stream():
        unfinished += chunk
        if b"\n" in chunk:
            *whole, last = bytes(unfinished).split(b"\n")
            lines += [line for line in whole if line.strip()]
            unfinished = bytearray(last)
        if len(lines) > limit:
            break
    if unfinished.strip():
        lines.append(bytes(unfinished))
    if len(lines) > limit:
        raise TooLargeError(
            f"the body has more than {limit} lines",
            hint="send several smaller requests, or raise batch_limit",
            field=field,
        )
    return lines


def rows_of(lines: list[bytes]) -> tuple[list[Any], dict[int, str]]:
    """Parse lines.

    Args:
        lines: The lines of a body.

    Returns:
        Their values, None for a line that cannot be parsed; and by its index what is wrong with it.

    Raises:
        TooLargeError: If they hold more than `MAX_ROW_VALUES` values.
    """
    rows: list[Any] = []
    errors: dict[int, str] = {}
    budget = MAX_ROW_VALUES
    for index, line in enumerate(lines):
        value: Any = None
        budget -= line.count(b",") + line.count(b"[") + line.count(b"{")
        if budget < 0:
            raise too_many_values(MAX_ROW_VALUES)
        try:
            check_shape(line)
            value = orjson.loads(line.removeprefix(_BOM) if index == 0 else line)
        except orjson.JSONDecodeError as problem:
            errors[index] = f"expected one JSON object in UTF-8: {problem}"
        except (InputError, TooLargeError) as problem:
            errors[index] = f"expected a smaller object: {problem.message}"
        rows.append(value)
    return rows, errors

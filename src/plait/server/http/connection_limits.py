"""Limits of a connection: the size of heads, and how long a client may take.

uvicorn waits for ever for the first request of a connection, for the end of a head or of a body
that nobody reads, and for a client that takes no answer; and it takes heads of any length, of any
version and without a host. Here all of that has an end, and what is no HTTP/1.1 is answered in the
one shape of every error. A client that has sent all it wants to, and says so, gets its answer.
"""

from __future__ import annotations

import asyncio
import re
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from plait.server.http.errors import error_content

__all__ = ["LONGEST_HEAD", "protocol_with_timeouts"]

LONGEST_HEAD = 64 * 1024
"""The longest request line and headers together, in bytes."""

_VERSIONS = ("1.0", "1.1")
_is_host = re.compile(
    rb"(?:\[[0-9A-Fa-f:.]+\]|\[v[0-9A-Fa-f]+\.[\w.~!$&'()*+,;=:-]+\]"
    rb"|(?:[\w.~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*)(?::\d*)?"
).fullmatch
"""A host and a port as a URI has them (RFC 3986, 3.2.2); empty where the URI has none."""

_LONG = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE


def protocol_with_timeouts(seconds: float) -> type[HttpToolsProtocol]:
    """Make uvicorn's protocol with limits of time.

    Args:
        seconds: How long a request may take to arrive, and a response to be read.

    Returns:
        The class of the protocol.
    """
    return type("Guarded", (TimeoutProtocol,), {"timeout_s": seconds})


class _RefusedHeadError(Exception):
    """Stops the parser."""


class TimeoutProtocol(HttpToolsProtocol):
    """One connection.

    `_whole`: no request is on its way in. `_in_head`: one is, and its headers have not ended.
    """

    timeout_s: float

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._whole, self._in_head = True, False
        self._known = self._unknown = 0
        self._hosts: list[bytes] = []
        self._problem = ""
        self._late: asyncio.TimerHandle | None = None
        self._stuck: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._late = self.loop.call_later(self.timeout_s, self._is_late)

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_late()
        self._cancel_stuck()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        within = self._in_head
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._whole and self._is_answering:
            return
        if self._late is None:  # also where an answer went before the end of its request
            self._late = self.loop.call_later(self.timeout_s, self._is_late)
        if within and self._in_head:  # the parser keeps what it cannot name yet
            self._unknown += len(data)
            if self._unknown > LONGEST_HEAD:
                self._refuse_head()

    # -- what the parser finds

    def on_message_begin(self) -> None:
        self._whole, self._in_head = False, True
        self._known = self._unknown = 0
        self._hosts = []
        self._cancel_late()
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value))
        if self._in_head:  # a trailer never becomes a header (RFC 9110, 6.5.1)
            super().on_header(name, value)
            if len(name) == len(b"host") and name.lower() == b"host":
                self._hosts.append(value)

    def on_headers_complete(self) -> None:
        self._in_head = False
        version, hosts = self.parser.get_http_version(), self._hosts
        if version not in _VERSIONS:
            self._problem = f"HTTP/{version} is not spoken here"
        elif len(hosts) != 1 and (hosts or version != "1.0"):
            self._problem = f"the request has {len(hosts)} Host headers, expected 1"
        elif hosts and not _is_host(hosts[0].strip()):
            self._problem = "the Host header is no host and port"
        if self._problem:  # RFC 9112, 3.2
            raise _RefusedHeadError
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._whole = True
        self._cancel_late()
        super().on_message_complete()

    def _count(self, size: int) -> None:
        self._known += size
        if self._known > LONGEST_HEAD:
            raise _RefusedHeadError

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio reads it, uvicorn has None
        """Keep the connection open, after the client has closed its side, until it is answered."""
        if self._whole and self._is_answering:
            self.cycle.keep_alive = False
            return True
        return False

    # -- a client that takes its time

    @property
    def _is_answering(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    def _is_late(self) -> None:
        """The time for a request is over; a body that is being read has a deadline of its own."""
        self._late = None
        if self._is_answering:
            self._late = self.loop.call_later(self.timeout_s, self._is_late)
        elif self._in_head:
            message = f"the request did not arrive within {self.timeout_s:g} seconds"
            self._end(HTTPStatus.REQUEST_TIMEOUT, "timeout", message, "send it again")
        elif not self.transport.is_closing():
            self.transport.close()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._cancel_stuck()
        self._stuck = self.loop.call_later(self.timeout_s, self.transport.abort)

    def resume_writing(self) -> None:
        self._cancel_stuck()
        super().resume_writing()

    def _cancel_late(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _cancel_stuck(self) -> None:
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None

    # -- answers of the wire itself

    def send_400_response(self, msg: str) -> None:
        """What the parser does not understand."""
        if self._known > LONGEST_HEAD:
            self._refuse_head()
        else:
            message = self._problem or msg
            self._end(HTTPStatus.BAD_REQUEST, "bad_request", message, "send HTTP/1.1")

    def _refuse_head(self) -> None:
        message = f"the request line and headers are longer than {LONGEST_HEAD} bytes"
        self._end(_LONG, _LONG.name.lower(), message, "send fewer or shorter headers")

    def _end(self, status: HTTPStatus, code: str, message: str, hint: str) -> None:
        """Answer, unless another answer has begun, and hang up."""
        if not (self._is_answering and self.cycle.response_started):
            content = error_content(code, message, hint, "")
            head = (
                b"content-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n"
            )
            self.transport.write(STATUS_LINE[status] + head % len(content) + content)
        self.transport.close()

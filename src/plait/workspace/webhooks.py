"""Webhooks: a POST to the operator's URLs after a new bundle or a failed fit.

A fit never waits for a receiver and never fails because of one: threads deliver, and closing the
workspace waits for them, which takes at most as long as the timeouts of all tries together.
"""

from __future__ import annotations

import hmac
import logging
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Mapping
from hashlib import sha256
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

import orjson

from plait.settings import Settings
from plait.utils.timestamps import iso

__all__ = ["Webhooks", "signature"]

FIRST_PAUSE = 0.5
"""Seconds before the second try; each further pause is twice as long."""

_log = logging.getLogger(__name__)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect is an error: the announcement goes nowhere but to the URL of the operator."""

    def redirect_request(self, *_arguments: Any, **_options: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirects)


def signature(secret: str, body: bytes) -> str:
    """Sign the body of an announcement, as the header `X-Plait-Signature` carries it.

    Args:
        secret: The setting `webhook_secret`.
        body: The bytes of the body.

    Returns:
        "sha256=" and the HMAC-SHA256 of the body in hexadecimal.
    """
    return "sha256=" + hmac.new(secret.encode(), body, sha256).hexdigest()


class Webhooks:
    """Announces what happens in a home to the URLs of its settings.

    Args:
        settings: The settings of the home.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._threads: list[threading.Thread] = []

    def announce(self, event: str, details: Mapping[str, Any]) -> None:
        """Send an event to every URL; returns at once.

        Args:
            event: "bundle.new" or "fit.failed".
            details: What the body says beside `event`, `id` and `time`.
        """
        if not self._settings.webhook_urls:
            return
        message = {"event": event, "id": uuid.uuid4().hex, "time": iso(time.time_ns() // 1000)}
        body = orjson.dumps({**message, **details}, default=str)
        for url in self._settings.webhook_urls:
            thread = threading.Thread(target=self._deliver, args=(url, body), daemon=True)
            thread.start()
            self._threads.append(thread)

    def close(self) -> None:
        """Wait until every announcement is delivered or given up."""
        while self._threads:
            self._threads.pop().join()

    def _deliver(self, url: str, body: bytes) -> None:
        retries, pause = self._settings.webhook_retries, FIRST_PAUSE
        for attempt in range(retries + 1):
            if attempt:
                time.sleep(pause)
                pause *= 2
            failure = self._post(url, body)
            if not failure:
                return
        # The path of the URL may be a secret of its own.
        _log.warning("a webhook at %s was not delivered: %s", urlsplit(url).hostname, failure)

    def _post(self, url: str, body: bytes) -> str:
        """Why a receiver did not take an announcement, "" if it did."""
        headers = {"content-type": "application/json", "user-agent": "plait"}
        if self._settings.webhook_secret:
            headers["x-plait-signature"] = signature(self._settings.webhook_secret, body)
        request = urllib.request.Request(url, body, headers, method="POST")  # noqa: S310 checked
        try:
            with _OPENER.open(request, timeout=self._settings.webhook_timeout_ms / 1000):
                return ""
        except urllib.error.HTTPError as problem:
            problem.close()
            return f"status {problem.code}"
        except (OSError, HTTPException, ValueError) as problem:
            return type(problem).__name__

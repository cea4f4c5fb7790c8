"""Clients of a server: they post events, describe items, erase users and query until `end`.

What a client does not know to be stored, because the answer did not come, it sends again with the
same ids, as a careful client does.
"""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from typing import Any

from faults.ledger import Ledger
from faults.shops import KEY

__all__ = ["ServerLoad"]

TEMPORARY = (429, 503, 507)
"""The server says: not now."""


class ServerLoad:
    """Three threads that write and one that queries; `answers` counts the queries answered.

    Args:
        url: Where the server listens; may change while they run.
        ledger: Where acknowledgements go.
        name: Part of every id, of its own for each load of a shop.
        rows: The most events in a request.
    """

    def __init__(self, url: str, ledger: Ledger, name: str, rows: int = 20) -> None:
        self.url, self.ledger, self.answers, self.refusals = url, ledger, 0, 0
        self._name, self._rows = name, rows
        self._over, self._lock = threading.Event(), threading.Lock()
        loops = [(self._post, 0), (self._post, 1), (self._describe_and_erase, 2), (self._query, 3)]
        self._threads = [
            threading.Thread(target=loop, args=(random.Random(f"{name}-{number}"), number))
            for loop, number in loops
        ]
        for thread in self._threads:
            thread.start()

    def await_more(self, seconds: float = 90) -> None:
        """Wait until another event is acknowledged and another query answered."""
        before = len(self.ledger.events), self.answers
        deadline = time.monotonic() + seconds
        while len(self.ledger.events) == before[0] or self.answers == before[1]:
            if time.monotonic() > deadline:
                raise AssertionError(f"no answers for {seconds:.0f} s: {self.ledger.unexpected}")
            time.sleep(0.02)

    def end(self) -> None:
        """Stop after what is under way."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _post(self, rng: random.Random, thread: int) -> None:
        count = 0
        while not self._over.is_set():
            rows = [
                {
                    "id": f"{self._name}-{thread}-{count + n}",
                    "kind": rng.choice(("view", "cart", "purchase")),
                    "user": f"user{rng.randrange(200)}",
                    "item": f"item-{rng.randrange(120)}",
                    "fields": {"note": "x" * rng.randrange(200)},
                }
                for n in range(rng.randint(1, self._rows))
            ]
            count += len(rows)
            answer = self._until_known("POST", "/v1/events", {"events": rows})
            if answer is None:
                return
            statuses = {row["status"] for row in answer["rows"]}
            if statuses <= {"stored", "duplicate"}:
                self.ledger.acknowledge((row["id"] for row in rows), answer["version"])
            else:
                self.ledger.unexpected.append(f"POST /v1/events: {statuses}")

    def _describe_and_erase(self, rng: random.Random, thread: int) -> None:
        serial = 0
        while not self._over.is_set():
            serial += 1
            item = f"item-{self._name}-{rng.randrange(4)}"
            body = {"title": f"new thing {serial}", "category": "things", "serial": serial}
            if self._until_known("PUT", f"/v1/items/{item}", body) is None:
                return
            self.ledger.serials[item] = serial
            user = f"doomed-{self._name}-{serial}"
            event = {"id": f"of-{user}", "kind": "view", "user": user, "item": "item-1"}
            if (
                self._until_known("POST", "/v1/events", {"events": [event]}) is None
                or self._until_known("DELETE", f"/v1/users/{user}", None) is None
            ):
                return
            self.ledger.erased.add(user)

    def _query(self, rng: random.Random, thread: int) -> None:
        queries: list[tuple[str, Any]] = [
            ("/v1/recommend", {"user": "user7", "k": 5}),
            ("/v1/search", {"text": "red lamp", "k": 5}),
            ("/v1/similar", {"items": ["item-3"], "k": 5}),
        ]
        while not self._over.is_set():
            path, body = rng.choice(queries)
            if self._until_known("POST", path, body) is not None:
                self.answers += 1

    def _until_known(self, method: str, path: str, body: Any) -> dict[str, Any] | None:
        """The answer to a request, sent until there is a final one; None: the load is over."""
        while True:
            status, answer = self._send(method, path, body)
            if status == 200 or (method == "DELETE" and status == 404):
                return answer
            if status in TEMPORARY:
                self.refusals += 1
            elif status:
                self.ledger.unexpected.append(f"{method} {path}: {status} {answer}")
            if self._over.is_set():
                return None
            time.sleep(0.02)

    def _send(self, method: str, path: str, body: Any) -> tuple[int, dict[str, Any]]:
        """Status and body, over a connection of its own, so that any worker takes it; 0: none."""
        host = self.url.removeprefix("http://")
        connection = http.client.HTTPConnection(host, timeout=30)
        headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
        try:
            content = None if body is None else json.dumps(body)
            connection.request(method, path, content, headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError):
            return 0, {}
        finally:
            connection.close()

"""The hostile requests of `benchmarks/hostile.py`, by shape, made anew from a seed."""

from __future__ import annotations

import json
import random
import string
from typing import Any

READ, INGEST = "key-that-only-reads", "key-that-only-writes"
MEGABYTE = 1 << 20

QUERY_ROUTES = ("recommend", "search", "similar", "rank", "list", "next", "recommend/batch")
QUERY_FIELDS = (
    *("user", "context", "history", "at_least", "session", "fields", "language", "k", "filter"),
    *("exclude", "seen", "boosts", "pins", "group_by", "text", "item", "items", "event_types"),
    *("users", "sort", "order", "cursor", "counts", "all", "request_id"),
)


class Shapes:
    """Makes hostile requests: each public method is a shape and returns a path, a body, a key.

    Args:
        seed: The seed of everything that is chosen.
        users: Known users.
        items: Known items.
    """

    def __init__(self, seed: int, users: list[str], items: list[str]) -> None:
        self.choose = random.Random(seed)
        self.users, self.items = users, items

    def names(self) -> list[str]:
        """The names of all shapes."""
        return [name for name in vars(Shapes) if name[0] != "_" and name != "names"]

    def _size(self, most: int) -> int:
        """A size between 1 and `most`, as often of one magnitude as of another."""
        return int(most ** self.choose.random()) or 1

    def _query(self, **fields: Any) -> tuple[str, bytes, str]:
        route = self.choose.choice(QUERY_ROUTES)
        required = {
            "search": {"text": "lamp"},
            "similar": {"item": self.choose.choice(self.items)},
            "rank": {"items": self.items[:50]},
            "next": {"request_id": "0" * 32},
            "recommend/batch": {"users": self.users[:20]},
        }.get(route, {})
        return f"/v1/{route}", json.dumps({**required, **fields}).encode(), READ

    def _raw_query(self, raw: bytes) -> tuple[str, bytes, str]:
        return f"/v1/{self.choose.choice(QUERY_ROUTES)}", raw, READ

    def _list_of(self, element: bytes, most: int) -> bytes:
        return b"[" + b",".join([element] * self._size(most // (len(element) + 1))) + b"]"

    def _element(self) -> bytes:
        return self.choose.choice([b"{}", b"1", b"null", b'"a"', b"[]", b'{"a":1}', b"1e9"])

    def long_lists(self):
        field = self.choose.choice(("items", "history", "exclude", "users", "pins", "boosts"))
        return self._raw_query(
            b'{"%b":%b}' % (field.encode(), self._list_of(self._element(), 17 * MEGABYTE))
        )

    def lists_in_every_field(self):
        body = [
            b'"%b":%b' % (field.encode(), self._list_of(self._element(), MEGABYTE // 30))
            for field in QUERY_FIELDS
        ]
        return self._raw_query(b"{" + b",".join(body) + b"}")

    def unknown_fields(self):
        count = self._size(100_000)
        return self._raw_query(json.dumps({f"f{n}": n for n in range(count)}).encode())

    def unknown_fields_of_controls(self):
        count = self._size(80_000)
        table = {f"f{n}": n for n in range(count)}
        field = self.choose.choice(("boosts", "pins", "seen", "context"))
        return self._query(**{field: [table] if field in ("boosts", "pins") else table})

    def deep(self):
        depth = self._size(500_000)
        opening, closing = self.choose.choice(((b"[", b"]"), (b'{"a":', b"}")))
        inner = opening * depth + b"1" + closing * depth
        field = self.choose.choice(QUERY_FIELDS).encode()
        return self._raw_query(self.choose.choice((inner, b'{"%b":%b}' % (field, inner))))

    def wrong_types(self):
        values = ([], {}, "x", -1, 2**63, 10**400, 1e308, None, True, [[]], [{}], {"a": {"b": []}})
        fields = self.choose.sample(QUERY_FIELDS, 4)
        return self._query(**{name: self.choose.choice(values) for name in fields})

    def giant_numbers(self):
        digits = b"9" * self._size(MEGABYTE // 2)
        field = self.choose.choice((b"k", b"at_least", b"user", b"text", b"item"))
        return self._raw_query(b'{"%b":%b}' % (field, digits))

    def long_texts(self):
        letter = self.choose.choice(("a", "灯", '"', "\\", "\0", " ", "a b ", "😀"))
        field = self.choose.choice(
            ("user", "text", "item", "filter", "session", "language", "cursor", "sort", "group_by")
        )
        return self._query(**{field: letter * self._size(MEGABYTE // 8)})

    def words(self):
        words = ["".join(self.choose.choices(string.ascii_lowercase, k=3)) for _ in range(500)]
        return "/v1/search", json.dumps({"text": " ".join(words)[:2000], "k": 1000}).encode(), READ

    def filters(self):
        part = self.choose.choice(
            ('title contains "a"', "price > 1", 'title == "x"', "price in [1,2,3]", "not price > 1")
        )
        joint = self.choose.choice((" or ", " and "))
        text = joint.join([part] * self._size(10_000 // (len(part) + len(joint))))
        if self.choose.random() < 0.3:
            depth = self._size(5_000)
            text = "(" * depth + part + ")" * depth
        return self._query(filter=text)

    def boosts_and_pins(self):
        return self._query(
            boosts=[{"filter": f"price > {n}", "factor": 2} for n in range(20)],
            pins=self.choose.sample(self.items, 100),
            seen={"cooldown": [{"filter": f"price > {n}", "days": 3} for n in range(20)]},
            k=1000,
        )

    def everything_at_most(self):
        return self._query(
            user=self.choose.choice(self.users),
            history=self.choose.sample(self.items, 1000),
            exclude=[f"unknown-{n}" for n in range(10_000)],
            context={"page": "x" * 16_000},
            fields=["*"],
            k=1000,
        )

    def whole_lists(self):
        items = self.choose.sample(self.items, 1000)
        route = self.choose.choice(("rank", "similar"))
        return f"/v1/{route}", json.dumps({"items": items}).encode(), READ

    def many_users(self):
        users = self.choose.choices(self.users, k=self._size(1000))
        return "/v1/recommend/batch", json.dumps({"users": users, "k": 10}).encode(), READ

    def versions_to_come(self):
        return self._query(at_least=10 ** self.choose.randrange(6, 19))

    def counted_lists(self):
        counts = ["title", "category", "price", "title"] * 5
        return "/v1/list", json.dumps({"counts": counts, "k": 1000, "fields": ["*"]}).encode(), READ

    def no_json(self):
        size = self._size(MEGABYTE)
        raw = self.choose.choice((b"\0", b"[", b'{"', b"\xff", b"\\", b'"', b" ", b"1,")) * size
        path = self.choose.choice(("/v1/events", "/v1/items", "/v1/recommend", "/v1/list"))
        return path, raw, READ if path in ("/v1/recommend", "/v1/list") else INGEST

    def rows_without_content(self):
        name = self.choose.choice((b"events", b"items"))
        rows = self._list_of(self._element(), 16 * MEGABYTE)
        return f"/v1/{name.decode()}", b'{"%b":%b}' % (name, rows), INGEST

    def rows_of_unknown_fields(self):
        width = self._size(20_000)
        row = {"kind": "view", "user": "u", "item": "i", **{f"f{n}": n for n in range(width)}}
        rows = [row] * min(self._size(10_000), 800_000 // width or 1)
        return "/v1/events", json.dumps({"events": rows}).encode(), INGEST

    def deep_rows(self):
        depth = self._size(100_000)
        value = b"[" * depth + b"]" * depth
        name = self.choose.choice((b"events", b"items"))
        row = b'{"kind":"view","user":"u","item":"i","id":"i","fields":{"a":%b}}' % value
        return f"/v1/{name.decode()}", b'{"%b":[%b]}' % (name, row), INGEST

    def lines(self):
        element = self.choose.choice((b"{}", b"1", b"", b"x", b'{"kind":1}', b"[[[]]]"))
        size = self._size(16 * MEGABYTE // (len(element) + 1))
        return "/v1/events lines", (element + b"\n") * size, INGEST

    def long_lines(self):
        value = b'{"kind":"view","user":"u","item":"%b"}' % (b"i" * self._size(8 * MEGABYTE))
        return "/v1/events lines", value, INGEST

    def wide_items(self):
        field = self.choose.choice((b"{}", b"1", b"null", b"[[1]]"))
        raw = b'{"a":%b}' % self._list_of(field, 16 * MEGABYTE)
        return "PUT /v1/items/hostile", raw, INGEST

    def items_of_many_fields(self):
        fields = {f"field-{self.choose.randrange(900)}": "x" for _ in range(self._size(1000))}
        return "PUT /v1/items/hostile", json.dumps(fields).encode(), INGEST

    def long_items(self):
        letter = self.choose.choice(("a", "a ", "灯", "<b>", '"', "\\"))
        text = letter * self._size(1_000_000 // len(letter))
        field = self.choose.choice(("title", "category", "description"))
        return "PUT /v1/items/hostile", json.dumps({field: text}).encode(), INGEST

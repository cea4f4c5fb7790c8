"""The grammar of filter expressions: text in, a tree out; nothing is ever executed.

::

    expr     = all {"or" all}
    all      = one {"and" one}
    one      = "not" one | "(" expr ")" | compare
    compare  = value [operator value]
    operator = "==" | "!=" | "<" | "<=" | ">" | ">=" | "in" | "not" "in" | "contains"
    value    = plain | ("contains" | "distance") "(" plain {"," plain} ")"
    plain    = field | text | number | "true" | "false" | "null" | "[" plain {"," plain} "]"

A field is a word, or anything between backticks. Keywords are lower case.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from plait.errors import FilterError

__all__ = [
    "BooleanOp",
    "Call",
    "Comparison",
    "FieldReference",
    "Literal",
    "Node",
    "Not",
    "Operand",
    "parse_filter",
]

MAX_LENGTH = 20_000
"""The longest expression, in characters."""
MAX_DEPTH = 32
"""How deep brackets and `not` may nest."""

COMPARISONS = ("==", "!=", "<=", ">=", "<", ">")
_TOKEN = re.compile(
    r"""\s*(?:
    (?P<number>-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
  | (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
  | (?P<word>[^\W\d]\w*(?:\.\w+)*)
  | (?P<quoted>`[^`]+`)
  | (?P<mark>==|!=|<=|>=|<|>|\(|\)|\[|\]|,)
    )""",
    re.VERBOSE | re.DOTALL,
)
_KEYWORDS = frozenset({"and", "or", "not", "in", "contains", "true", "false", "null"})
_CALLS = {"contains": 2, "distance": 3}
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant: text, number, true, false, null, or a tuple of them."""

    value: str | float | bool | tuple[str | float | bool | None, ...] | None


@dataclass(frozen=True, slots=True)
class FieldReference:
    """A field of the item; `id` is its outside id."""

    name: str


@dataclass(frozen=True, slots=True)
class Call:
    """`contains(a, b)` or `distance(place, latitude, longitude)`."""

    name: str
    arguments: tuple[Literal | FieldReference, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """`left operator right`."""

    operator: str
    left: Operand
    right: Operand


@dataclass(frozen=True, slots=True)
class Not:
    """What `inner` is not."""

    inner: Node


@dataclass(frozen=True, slots=True)
class BooleanOp:
    """All (`and`) or any (`or`) of `parts`."""

    operator: str
    parts: tuple[Node, ...]


Operand = Literal | FieldReference | Call
Node = Operand | Comparison | Not | BooleanOp


class _Token(NamedTuple):
    kind: str
    text: str
    place: int


def parse_filter(text: str) -> Node:
    """The tree of `text`; FilterError says where it stops making sense."""
    if len(text) > MAX_LENGTH:
        raise FilterError(
            f"the filter has {len(text)} characters", hint=f"at most {MAX_LENGTH}", field="filter"
        )
    return _Parser(text).whole()


def _tokens(text: str) -> Iterator[_Token]:
    place = 0
    stop = len(text.rstrip())
    while place < stop:
        found = _TOKEN.match(text, place)
        if found is None or found.lastgroup is None:
            start = place + len(text[place:]) - len(text[place:].lstrip())
            raise _wrong(f"cannot read {text[start : start + 12]!r}", start)
        word = found[found.lastgroup]
        kind = found.lastgroup
        if kind == "word" and word in _KEYWORDS:
            kind = "keyword"
        yield _Token(kind, word, found.start(found.lastgroup))
        place = found.end()
    yield _Token("end", "", stop)


def _wrong(what: str, place: int) -> FilterError:
    return FilterError(
        f"the filter does not parse at character {place + 1}: {what}",
        hint='write for example: category == "lamps" and price < 20',
        field="filter",
    )


class _Parser:
    """Recursive descent with one token of look-ahead."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._at = 0
        self._depth = 0

    def whole(self) -> Node:
        if self._next.kind == "end":
            raise _wrong("it is empty", 0)
        node = self._any()
        if self._next.kind != "end":
            raise self._unexpected("the end, `and` or `or`")
        return node

    @property
    def _next(self) -> _Token:
        return self._tokens[self._at]

    def _take(self) -> _Token:
        token = self._next
        self._at += 1
        return token

    def _is(self, *words: str) -> bool:
        return self._next.kind in ("mark", "keyword") and self._next.text in words

    def _expect(self, mark: str) -> None:
        if not self._is(mark):
            raise self._unexpected(repr(mark))
        self._take()

    def _unexpected(self, wanted: str) -> FilterError:
        found = repr(self._next.text) if self._next.kind != "end" else "the end"
        return _wrong(f"found {found}, expected {wanted}", self._next.place)

    def _any(self) -> Node:
        parts = [self._all()]
        while self._is("or"):
            self._take()
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else BooleanOp("or", tuple(parts))

    def _all(self) -> Node:
        parts = [self._one()]
        while self._is("and"):
            self._take()
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else BooleanOp("and", tuple(parts))

    def _one(self) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _wrong(f"it nests deeper than {MAX_DEPTH}", self._next.place)
        if self._is("not"):
            self._take()
            node: Node = Not(self._one())
        elif self._is("("):
            self._take()
            node = self._any()
            self._expect(")")
        else:
            node = self._compare()
        self._depth -= 1
        return node

    def _compare(self) -> Node:
        left = self._value()
        operator = self._operator()
        if not operator:
            return left
        right = self._value()
        if self._is(*COMPARISONS, "in", "contains"):
            raise self._unexpected("`and` or `or`: comparisons do not chain")
        return Comparison(operator, left, right)

    def _operator(self) -> str:
        if self._is(*COMPARISONS, "in", "contains"):
            return self._take().text
        if self._is("not"):
            self._take()
            self._expect("in")
            return "not in"
        return ""

    def _value(self) -> Operand:
        after = self._tokens[min(self._at + 1, len(self._tokens) - 1)]
        if self._next.kind in ("word", "keyword") and after.text == "(" and after.kind == "mark":
            return self._call(self._take())
        return self._plain()

    def _plain(self) -> Literal | FieldReference:
        if self._next.kind == "word":
            return FieldReference(self._take().text)
        if self._next.kind == "quoted":
            return FieldReference(self._take().text[1:-1])
        if self._is("["):
            return Literal(self._list())
        return Literal(self._constant())

    def _constant(self) -> str | float | bool | None:
        token = self._next
        if token.kind == "number":
            self._take()
            return float(token.text)
        if token.kind == "text":
            self._take()
            return _ESCAPE.sub(r"\1", token.text[1:-1])
        if self._is("true", "false", "null"):
            return {"true": True, "false": False, "null": None}[self._take().text]
        raise self._unexpected("a field, a text in quotes, a number, true, false, null or a list")

    def _list(self) -> tuple[str | float | bool | None, ...]:
        self._expect("[")
        values: list[str | float | bool | None] = []
        while not self._is("]"):
            values.append(self._constant())
            if not self._is("]"):
                self._expect(",")
        self._take()
        return tuple(values)

    def _call(self, name: _Token) -> Call:
        if name.text not in _CALLS:
            known = " and ".join(sorted(_CALLS))
            raise _wrong(f"there is no function {name.text!r}, only {known}", name.place)
        self._expect("(")
        arguments = [self._plain()]
        while self._is(","):
            self._take()
            arguments.append(self._plain())
        self._expect(")")
        if len(arguments) != _CALLS[name.text]:
            raise _wrong(f"{name.text} takes {_CALLS[name.text]} arguments", name.place)
        return Call(name.text, tuple(arguments))

"""The grammar of filter expressions: it parses text to a tree and executes nothing.

::

    expr        = conjunction {"or" conjunction}
    conjunction = negation {"and" negation}
    negation    = "not" negation | "(" expr ")" | comparison
    comparison  = value [operator value]
    operator    = "==" | "!=" | "<" | "<=" | ">" | ">=" | "in" | "not" "in" | "contains"
    value       = operand | ("contains" | "distance") "(" operand {"," operand} ")"
    operand     = field | text | number | "true" | "false" | "null" | "[" operand {"," operand} "]"

A field is a word, or anything between backticks. Keywords are lower case.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
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
    """A constant.

    Attributes:
        value: A string, number, boolean, None, or a tuple of them.
    """

    value: str | float | bool | tuple[str | float | bool | None, ...] | None


@dataclass(frozen=True, slots=True)
class FieldReference:
    """A field of the item.

    Attributes:
        name: The field; `id` is the external id.
    """

    name: str


@dataclass(frozen=True, slots=True)
class Call:
    """`contains(a, b)` or `distance(place, latitude, longitude)`.

    Attributes:
        name: The function.
        arguments: Its arguments.
    """

    name: str
    arguments: tuple[Literal | FieldReference, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """`left operator right`.

    Attributes:
        operator: The operator.
        left: The left operand.
        right: The right operand.
    """

    operator: str
    left: Operand
    right: Operand


@dataclass(frozen=True, slots=True)
class Not:
    """The negation of an expression.

    Attributes:
        inner: The expression.
    """

    inner: Node


@dataclass(frozen=True, slots=True)
class BooleanOp:
    """All (`and`) or any (`or`) of several expressions.

    Attributes:
        operator: `and` or `or`.
        operands: The expressions.
    """

    operator: str
    operands: tuple[Node, ...]


Operand = Literal | FieldReference | Call
Node = Operand | Comparison | Not | BooleanOp


class _Token(NamedTuple):
    kind: str
    text: str
    position: int


def parse_filter(text: str) -> Node:
    """Parse an expression.

    Args:
        text: The expression.

    Returns:
        The root of its syntax tree.

    Raises:
        FilterError: The expression does not parse; the message gives the position.
    """
    if len(text) > MAX_LENGTH:
        raise FilterError(
            f"the filter has {len(text)} characters", hint=f"at most {MAX_LENGTH}", field="filter"
        )
    return _Parser(text).parse()


def _tokens(text: str) -> Iterator[_Token]:
    position = 0
    stop = len(text.rstrip())
    while position < stop:
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            start = position + len(text[position:]) - len(text[position:].lstrip())
            if text[start] == "=":
                raise _syntax_error("a single = compares nothing, expected ==", start)
            raise _syntax_error(f"cannot read {text[start : start + 12]!r}", start)
        word = match[match.lastgroup]
        kind = match.lastgroup
        if kind == "word" and word in _KEYWORDS:
            kind = "keyword"
        yield _Token(kind, word, match.start(match.lastgroup))
        position = match.end()
    yield _Token("end", "", stop)


def _syntax_error(problem: str, position: int) -> FilterError:
    return FilterError(
        f"the filter does not parse at character {position + 1}: {problem}",
        hint='write for example: category == "lamps" and price < 20',
        field="filter",
    )


class _Parser:
    """Recursive descent with one token of look-ahead."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._at = 0
        self._depth = 0

    def parse(self) -> Node:
        if self._next.kind == "end":
            raise _syntax_error("it is empty", 0)
        node = self._disjunction()
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

    def _unexpected(self, expected: str) -> FilterError:
        actual = repr(self._next.text) if self._next.kind != "end" else "the end"
        return _syntax_error(f"found {actual}, expected {expected}", self._next.position)

    def _disjunction(self) -> Node:
        return self._joined("or", lambda: self._joined("and", self._negation))

    def _joined(self, operator: str, parse_operand: Callable[[], Node]) -> Node:
        operands = [parse_operand()]
        while self._is(operator):
            self._take()
            operands.append(parse_operand())
        return operands[0] if len(operands) == 1 else BooleanOp(operator, tuple(operands))

    def _negation(self) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _syntax_error(f"it nests deeper than {MAX_DEPTH}", self._next.position)
        if self._is("not"):
            self._take()
            node: Node = Not(self._negation())
        elif self._is("("):
            self._take()
            node = self._disjunction()
            self._expect(")")
        else:
            node = self._comparison()
        self._depth -= 1
        return node

    def _comparison(self) -> Node:
        left = self._operand_or_call()
        operator = self._operator()
        if not operator:
            return left
        right = self._operand_or_call()
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

    def _operand_or_call(self) -> Operand:
        after = self._tokens[min(self._at + 1, len(self._tokens) - 1)]
        if self._next.kind in ("word", "keyword") and after.text == "(" and after.kind == "mark":
            return self._call(self._take())
        return self._operand()

    def _operand(self) -> Literal | FieldReference:
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
            raise _syntax_error(f"unknown function {name.text!r}, expected {known}", name.position)
        self._expect("(")
        arguments = [self._operand()]
        while self._is(","):
            self._take()
            arguments.append(self._operand())
        self._expect(")")
        if len(arguments) != _CALLS[name.text]:
            raise _syntax_error(f"{name.text} takes {_CALLS[name.text]} arguments", name.position)
        return Call(name.text, tuple(arguments))

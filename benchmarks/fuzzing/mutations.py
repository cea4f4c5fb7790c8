"""Changes bytes and TOML-like values at random, with a liking for what parsers stumble over."""

from __future__ import annotations

import random
from typing import Any

__all__ = ["TOKENS", "mutated_bytes", "mutated_value"]

TOKENS = (
    *(b'"', b"'", b",", b";", b"\t", b"\n", b"\r", b"\r\n", b"\x00", b"\\", b'""', b"\\u0000"),
    *(b"\xef\xbb\xbf", b"\xff\xfe", b"\xc3", b"\xed\xa0\x80", b"\xe2\x80\xae", b"\xf0\x9f\x98\x80"),
    *(b"NaN", b"-Infinity", b"1e999", b"-0", b"9" * 40, b"0x1F", b"true", b"null", b"N/A", b"-"),
    *(b"{" * 40, b"[" * 200, b"}", b"]", b"(" * 40, b"#", b"=", b"==", b" and ", b" or ", b" in "),
    *(b"1970-01-01", b"0000-00-00", b"9999-12-31T23:59:60Z", b"1,299.00", b"PAR1", b"\x1f\x8b"),
    *(b"contains", b"not ", b"`", b"*", b"..", b"x" * 600, b'{"a":', b"\\ud800"),
)
WORDS = ("", "x" * 600, "\x00", "NaN", "../../etc/passwd", "popular", "id", "*", "\ud83d", "é" * 40)
NUMBERS = (0, -1, 1, 2**31, 2**63, 2**64, -(2**63) - 1, 10**40, 0.5, -0.0, 1e308)
NOT_NUMBERS = (float("nan"), float("inf"), -float("inf"))


def mutated_bytes(content: bytes, rng: random.Random) -> bytes:
    """A copy with 1 to 8 changes: flipped, inserted, deleted, repeated, moved, cut off.

    Args:
        content: The bytes.
        rng: Decides everything.
    """
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        at, until = sorted(rng.randrange(len(changed) + 1) for _ in range(2))
        until = min(until, at + rng.choice((1, 4, 40, 4000)))
        match rng.randrange(8):
            case 0 if changed:
                changed[at % len(changed)] ^= 1 << rng.randrange(8)
            case 1:
                changed[at:at] = rng.choice(TOKENS)
            case 2:
                changed[at:until] = rng.choice(TOKENS)
            case 3:
                del changed[at:until]
            case 4:
                changed[at:at] = changed[at:until] * rng.choice((1, 2, 50))
            case 5:
                changed[at:at] = rng.randbytes(rng.randint(1, 16))
            case 6:
                target = rng.randrange(len(changed) + 1)
                changed[target:target] = changed[at:until]
            case _ if rng.random() < 0.3:
                del changed[at:]
        del changed[1 << 18 :]
    return bytes(changed)


def mutated_value(value: Any, rng: random.Random) -> Any:
    """A copy of a value as TOML has them, with one part replaced, removed, renamed or nested.

    Args:
        value: A dictionary, list or scalar.
        rng: Decides everything.
    """
    if isinstance(value, dict) and value and rng.random() < 0.85:
        copy = dict(value)
        key = rng.choice(sorted(copy))
        match rng.randrange(6):
            case 0:
                del copy[key]
            case 1:
                copy[rng.choice((*WORDS, key + "x"))] = copy[key]
            case _:
                copy[key] = mutated_value(copy[key], rng)
        return copy
    if isinstance(value, list) and value and rng.random() < 0.7:
        copy_of_list = list(value)
        at = rng.randrange(len(value))
        copy_of_list[at] = mutated_value(value[at], rng)
        return copy_of_list * rng.choice((1, 1, 2))
    if isinstance(value, bool | int | float) and rng.random() < 0.6:
        return rng.choice((*NUMBERS, *NOT_NUMBERS))
    scalars = (*WORDS, *NUMBERS, *NOT_NUMBERS, True, False)
    return rng.choice((rng.choice(scalars), [], {}, [value], {"x": value}, [[value]], value))

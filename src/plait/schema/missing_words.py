"""Words and placeholders that stand for a missing value.

In an id, a time or a number none of them can be a value. In a text some can: NA is the code of
Namibia, None an answer. So there are two lists.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["BLANKS", "FIELD_WORDS", "MISSING_WORDS", "PLACEHOLDERS", "MissingWords"]

_WHITE_SPACE = (*range(9, 14), 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B))
_WHITE_SPACE += (0x2028, 0x2029, 0x202F, 0x205F, 0x3000)
_INVISIBLE = (0xAD, 0x180E, *range(0x200B, 0x2010), *range(0x202A, 0x202F))
_INVISIBLE += (*range(0x2060, 0x2065), *range(0x2066, 0x206A), 0xFEFF)

BLANKS = "".join(map(chr, (*_WHITE_SPACE, *_INVISIBLE)))
"""What is cut off around ids, words and numbers: white space, and invisible characters, such as
the byte order mark, the soft hyphen, and those of width 0 or of the direction of writing."""

_NEVER_A_VALUE = frozenset({"", "NULL", "null", "\\N", "NaN", "nan", "<NA>", "NaT", "#N/A"})

_SPREADSHEET_ERRORS = frozenset(
    {
        *("#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NUM!", "#NULL!", "#SPILL!", "#CALC!"),
        *("#ERROR!", "#NV", "#BEZUG!", "#WERT!", "#ZAHL!", "#VALEUR!", "#NOM?", "#NOMBRE!"),
        *("#¡REF!", "#¡VALOR!", "#¡DIV/0!", "#¿NOMBRE?", "#VALORE!", "#RIF!"),
    }
)
"""What a spreadsheet shows for a formula without a result, in several languages."""

PLACEHOLDERS = _SPREADSHEET_ERRORS | {
    *("(no genres listed)", "(not set)", "N/A", "n/a", "N.A.", "n.a.", "-", "--", "---", "–", "—"),
}
"""What people and exports write into a field that says nothing."""

MISSING_WORDS = (
    _NEVER_A_VALUE
    | _SPREADSHEET_ERRORS
    | {
        *("NA", "N/A", "n/a", "#NA", "NAN", "None", "(null)", "undefined", "-nan", "-NaN"),
    }
)
"""What is no id, no time and no number."""

FIELD_WORDS = _NEVER_A_VALUE | PLACEHOLDERS
"""What is no value of a text."""


class MissingWords(NamedTuple):
    """What stands for no value in a source.

    Attributes:
        in_roles: In the columns of ids, times, numbers and event types.
        in_fields: In the columns that become fields.
        reported: Those of `in_fields` of which an import gives notice.
    """

    in_roles: frozenset[str] = MISSING_WORDS
    in_fields: frozenset[str] = FIELD_WORDS
    reported: frozenset[str] = PLACEHOLDERS

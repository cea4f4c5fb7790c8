"""Finds the header of a delimited file, and undoes what exports put before and around it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from plait.ingest.column_synonyms import ROLES, normalized_name
from plait.ingest.quoted_records import RecordStyle, split_line

__all__ = ["MOST_TITLE_LINES", "are_lines_quoted", "count_title_lines", "unquoted_line"]

MOST_TITLE_LINES = 15
"""The most lines that are passed over before a header."""

_IDS = frozenset().union(*ROLES["items"]["item"], *ROLES["users"]["user"])


def count_title_lines(lines: Sequence[str], separators: Sequence[str], quote: str) -> int:
    """Count the lines before the header: a title, a date, a filter, as reports have them.

    A header fills each of its columns with a name, and is as wide as most lines that have several
    values. A line before it has one value, or fills at most half of the columns; it may have any
    other width where the header has the usual name of an id. No line before it has such a name.

    Args:
        lines: The first lines of a file, none of them blank.
        separators: What may separate values, one character each.
        quote: What quotes values.

    Returns:
        How many lines; 0 if the first line may be the header, or no line is one.
    """
    best = (0, 0, 0)
    for separator in separators:
        style = RecordStyle(separator, quote)
        table = [[cell.strip() for cell in split_line(line, style)] for line in lines]
        widths = Counter(map(len, table))
        several = Counter({width: count for width, count in widths.items() if width > 1})
        if not several:
            continue
        width, count = several.most_common(1)[0]
        if len(table[0]) == width and not _is_title(table[0], width):
            return 0  # the usual case
        header = _first_header(table, width)
        if header and count < max(widths.values()) and not _names_an_id(table[header]):
            continue  # most lines have one value: this may be a row of them
        if header:
            best = max(best, (count, width, header))
    return best[2]


def _first_header(table: Sequence[Sequence[str]], width: int) -> int:
    """The index of the header below titles; 0 if there is none."""
    for index, cells in enumerate(table[: min(MOST_TITLE_LINES, len(table) - 1)]):
        if _is_header(cells, width):
            is_sure = _names_an_id(cells)
            titles = [line for line in table[:index] if not (is_sure and len(line) != width)]
            are_titles = all(_is_title(line, width) for line in titles)
            return index if are_titles and not any(map(_names_an_id, table[:index])) else 0
    return 0


def _is_header(cells: Sequence[str], width: int) -> bool:
    are_names = all(any(map(str.isalpha, cell)) for cell in cells)
    return len(cells) == width and are_names and len(set(cells)) == width


def _is_title(cells: Sequence[str], width: int) -> bool:
    """Whether a line fills too few columns for a header and for a row."""
    filled = sum(map(bool, cells))
    return filled <= 1 or 2 * filled <= width


def _names_an_id(cells: Sequence[str]) -> bool:
    return any(normalized_name(cell) in _IDS for cell in cells)


def are_lines_quoted(lines: Sequence[str], separators: Sequence[str], quote: str) -> bool:
    """Return whether each line is quoted as a whole: `"id,title"`, as spreadsheets may save it.

    Args:
        lines: The first lines of a file, none of them blank.
        separators: What may separate values, one character each.
        quote: What quotes values.
    """
    if not quote or not all(len(line) > 1 and line[0] == line[-1] == quote for line in lines):
        return False
    for separator in separators:
        style = RecordStyle(separator, quote)
        if any(len(split_line(line, style)) > 1 for line in lines):
            return False
    inner = [unquoted_line(line, quote) for line in lines]
    for separator in separators:
        style = RecordStyle(separator, quote)
        widths = {len(split_line(line, style)) for line in inner}
        if len(widths) == 1 and widths != {1}:
            return True
    return False


def unquoted_line(line: str, quote: str) -> str:
    """Remove the quotes around a line.

    Args:
        line: The line; one without such quotes stays as it is.
        quote: What quotes it.

    Returns:
        The line inside, whose doubled quotes are single.
    """
    if len(line) < 2 or line[0] != quote or line[-1] != quote:
        return line
    return line[1:-1].replace(quote * 2, quote)

"""Files and functions stay small."""

import math
import statistics

import pytest

from tests.architecture.source_tree import functions, modules

FILE_LINES = 400
FUNCTION_LINES = 60
MEDIAN_LINES = 14
P95_LINES = 55


def lengths(module):
    """Lines of each function, from its `def` to its last line."""
    return {
        f"{module.name}.{one.name}:{one.lineno}": one.end_lineno - one.lineno + 1
        for one in functions(module.tree)
    }


@pytest.mark.parametrize("module", modules(), ids=str)
def test_file_is_short(module):
    assert len(module.text.splitlines()) <= FILE_LINES


@pytest.mark.parametrize("module", modules(), ids=str)
def test_functions_are_short(module):
    long = {name: lines for name, lines in lengths(module).items() if lines > FUNCTION_LINES}
    assert not long


def test_most_functions_are_shorter_still():
    found = sorted(lines for module in modules() for lines in lengths(module).values())
    assert found
    assert statistics.median(found) <= MEDIAN_LINES
    assert found[math.ceil(0.95 * len(found)) - 1] <= P95_LINES

"""Files and functions stay small."""

import math
import statistics

import pytest

from tests.architecture.source_tree import functions, modules

FILE_LINES = 400
FUNCTION_LINES = 60
MEDIAN_LINES = 14
P95_LINES = 55


def function_lengths(module):
    """Lines of each function, from its `def` to its last line."""
    return {
        f"{module.name}.{node.name}:{node.lineno}": node.end_lineno - node.lineno + 1
        for node in functions(module.tree)
    }


@pytest.mark.parametrize("module", modules(), ids=str)
def test_file_has_at_most_400_lines(module):
    assert len(module.text.splitlines()) <= FILE_LINES


@pytest.mark.parametrize("module", modules(), ids=str)
def test_functions_have_at_most_60_lines(module):
    long = {
        name: lines for name, lines in function_lengths(module).items() if lines > FUNCTION_LINES
    }
    assert not long


def test_median_and_95th_percentile_of_function_lengths():
    lengths = sorted(lines for module in modules() for lines in function_lengths(module).values())
    assert lengths
    assert statistics.median(lengths) <= MEDIAN_LINES
    assert lengths[math.ceil(0.95 * len(lengths)) - 1] <= P95_LINES

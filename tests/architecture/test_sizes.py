"""Files and functions stay small."""

import math
import statistics

from tests.architecture.source_tree import functions, modules

FILE_LINES = 400
FUNCTION_LINES = 60
MEDIAN_LINES = 14
P95_LINES = 55


def function_lengths():
    """Lines of each function, from its `def` to its last line."""
    for module in modules():
        for node in functions(module.tree):
            yield f"{module.name}.{node.name}:{node.lineno}", node.end_lineno - node.lineno + 1


def test_files_have_at_most_400_lines():
    lengths = {module.name: len(module.text.splitlines()) for module in modules()}
    assert not {name: lines for name, lines in lengths.items() if lines > FILE_LINES}


def test_functions_have_at_most_60_lines():
    assert not {name: lines for name, lines in function_lengths() if lines > FUNCTION_LINES}


def test_median_and_95th_percentile_of_function_lengths():
    lengths = sorted(lines for _, lines in function_lengths())
    assert lengths
    assert statistics.median(lengths) <= MEDIAN_LINES
    assert lengths[math.ceil(0.95 * len(lengths)) - 1] <= P95_LINES

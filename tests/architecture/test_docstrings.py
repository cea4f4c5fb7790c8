"""Every public function documents its parameters in the sections of Google style."""

import ast

import pytest
from benchmarks.structure import lacks_sections, public_functions

from tests.architecture.source_tree import public_modules


def test_public_functions_document_their_parameters():
    assert not [
        f"{module}: {name}"
        for module in public_modules()
        for name, node in public_functions(module.tree)
        if lacks_sections(node)
    ]


@pytest.mark.parametrize(
    ("source", "is_lacking"),
    [
        ('def f(a):\n    """Do."""', True),
        ('def f(a, b):\n    """Do.\n\n    Args:\n        a: A.\n    """', True),
        ('def f(a):\n    """Do.\n\n    Args:\n        a: A.\n    """', False),
        (
            'def f(*a, **b):\n    """Do.\n\n    Args:\n        *a: A.\n        **b: Two.\n    """',
            False,
        ),
        ('def f():\n    """Do."""', False),
    ],
)
def test_checker_compares_parameters_with_the_section(source, is_lacking):
    (function,) = ast.parse(source).body
    assert lacks_sections(function) is is_lacking

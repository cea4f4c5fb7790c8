"""Every public module says what it offers."""

import importlib

import pytest

from tests.architecture.source_tree import public_modules


def place(name):
    """Constants, then classes, then the rest, each by name: the order that `ruff --fix` makes."""
    kind = 0 if name.isupper() and len(name) > 1 else 1 if name[0].isupper() else 2
    return kind, name


@pytest.mark.parametrize("module", public_modules(), ids=str)
def test_all_is_sorted_and_true(module):
    loaded = importlib.import_module(module.name)
    assert hasattr(loaded, "__all__"), f"{module.name} has no __all__"
    names = list(loaded.__all__)
    ordered = sorted(set(names), key=place)
    assert names == ordered, f"in order it is {ordered}"
    missing = [name for name in names if not hasattr(loaded, name)]
    assert not missing

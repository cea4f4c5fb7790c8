"""Every public module lists its public names in `__all__`."""

import importlib
import re

import pytest

from tests.architecture.source_tree import public_modules


def sort_key(name):
    """Constants, then classes, then the rest, each by name: the order that `ruff --fix` makes.

    It takes digits as numbers: UInt8 before UInt16.
    """
    kind = 0 if name.isupper() and len(name) > 1 else 1 if name[0].isupper() else 2
    parts = re.split(r"(\d+)", name)
    return kind, [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


@pytest.mark.parametrize("module", public_modules(), ids=str)
def test_all_is_sorted_and_every_name_in_it_exists(module):
    loaded = importlib.import_module(module.name)
    assert hasattr(loaded, "__all__"), f"{module.name} has no __all__"
    names = list(loaded.__all__)
    expected = sorted(set(names), key=sort_key)
    assert names == expected, f"sorted it is {expected}"
    missing = [name for name in names if not hasattr(loaded, name)]
    assert not missing

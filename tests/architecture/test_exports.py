"""Every public module lists its public names in `__all__`."""

import importlib
import re

from tests.architecture.source_tree import public_modules


def sort_key(name):
    """Constants, then classes, then the rest, each by name: the order that `ruff --fix` makes.

    It takes digits as numbers: UInt8 before UInt16.
    """
    kind = 0 if name.isupper() and len(name) > 1 else 1 if name[0].isupper() else 2
    parts = re.split(r"(\d+)", name)
    return kind, [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


def test_every_all_is_sorted():
    loaded = [importlib.import_module(module.name) for module in public_modules()]
    assert not [module.__name__ for module in loaded if not hasattr(module, "__all__")]
    names = {module.__name__: list(module.__all__) for module in loaded}
    ordered = {module: sorted(set(listed), key=sort_key) for module, listed in names.items()}
    assert names == ordered


def test_every_name_of_an_all_exists():
    loaded = [importlib.import_module(module.name) for module in public_modules()]
    assert not [
        f"{module.__name__}.{name}"
        for module in loaded
        for name in module.__all__
        if not hasattr(module, name)
    ]

"""Checks boosted trees in LightGBM's text format and writes them anew.

LightGBM ends the process for most texts that are damaged, and a bundle of others may hold one. It
is given only what was written here, from numbers that fit together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TypeVar

from plait.errors import BundleError

__all__ = ["checked_trees"]

_HEAD = "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\n"
_CATEGORICAL = 1
"""The bit of `decision_type` for a split by a set of categories."""

_DECISION_TYPES = 1 << 4

Number = TypeVar("Number", int, float)


def checked_trees(text: str) -> str:
    """Return the text of the same trees, which LightGBM reads safely.

    Args:
        text: What `lightgbm.Booster.model_to_string` returns for a ranker without categories.

    Returns:
        The trees without what only describes their training.

    Raises:
        BundleError: If it is anything else.
    """
    try:
        head, *blocks = text.partition("\nend of trees")[0].split("\nTree=")
        header = _entries(head)
        last_feature = int(header["max_feature_idx"])
        names = header["feature_names"].split()
        if header["num_tree_per_iteration"] != "1" or len(names) != last_feature + 1:
            raise ValueError("expected trees of one output, and a name of each feature")
        trees = [
            f"\nTree={number}\n{_checked_tree(_entries(block), len(names))}"
            for number, block in enumerate(blocks)
        ]
    except (ValueError, LookupError, OverflowError) as problem:
        raise BundleError(
            f"the trees of a fusion cannot be read: {problem}", hint="fit again"
        ) from problem
    features = " ".join(f"f{number}" for number in range(len(names)))
    bounds = " ".join(["[0:1]"] * len(names))
    return (
        f"{_HEAD}max_feature_idx={last_feature}\nobjective=lambdarank\n"
        f"feature_names={features}\nfeature_infos={bounds}\n{''.join(trees)}\n\nend of trees\n"
    )


def _checked_tree(entries: Mapping[str, str], n_features: int) -> str:
    """The lines of one tree; ValueError or LookupError for what is none."""
    n_leaves = int(entries["num_leaves"])
    if n_leaves < 1 or int(entries.get("num_cat", "0")) or int(entries.get("is_linear", "0")):
        raise ValueError("a tree is empty, linear or splits categories")
    values = _numbers(entries, "leaf_value", n_leaves, float)
    if not all(map(math.isfinite, values)):
        raise ValueError("leaf_value is not finite")
    lines: dict[str, list[int] | list[float]] = {"num_leaves": [n_leaves], "num_cat": [0]}
    if n_leaves > 1:
        splits = {
            name: _numbers(entries, name, n_leaves - 1, int)
            for name in ("split_feature", "decision_type", "left_child", "right_child")
        }
        _check_splits(splits, n_features)
        lines |= {**splits, "threshold": _numbers(entries, "threshold", n_leaves - 1, float)}
    lines |= {"leaf_value": values, "is_linear": [0], "shrinkage": [1]}
    return "".join(f"{name}={' '.join(map(repr, row))}\n" for name, row in lines.items())


def _check_splits(splits: Mapping[str, list[int]], n_features: int) -> None:
    """Every node but the root has one parent and is reached; a leaf is -1 minus its number."""
    if not all(0 <= feature < n_features for feature in splits["split_feature"]):
        raise ValueError("a split names a feature that there is not")
    if not all(
        0 <= kind < _DECISION_TYPES and not kind & _CATEGORICAL for kind in splits["decision_type"]
    ):
        raise ValueError("a split is of an unknown kind")
    left, right = splits["left_child"], splits["right_child"]
    n_splits = len(left)
    reached, level = [0], [0]
    while level:
        level = [child for node in level if node >= 0 for child in (left[node], right[node])]
        reached += level
        if len(reached) > 2 * n_splits + 1:
            raise ValueError("a node has several parents")
    if sorted(reached) != list(range(-n_splits - 1, n_splits)):
        raise ValueError("a node cannot be reached")


def _entries(text: str) -> dict[str, str]:
    """Lines of a name and a value; ValueError for a name that comes twice."""
    entries: dict[str, str] = {}
    for line in text.splitlines():
        name, separator, value = line.partition("=")
        if separator and name in entries:
            raise ValueError(f"{name[:40]!r} comes twice")
        entries[name] = value
    return entries


def _numbers(
    entries: Mapping[str, str], name: str, count: int, kind: Callable[[str], Number]
) -> list[Number]:
    """So many numbers between blanks; infinity is one, NaN is none."""
    numbers = [kind(part) for part in entries[name].split()]
    if len(numbers) != count or any(map(math.isnan, numbers)):
        raise ValueError(f"{name} has {len(numbers)} numbers, expected {count}")
    return numbers

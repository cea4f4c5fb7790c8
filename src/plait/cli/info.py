"""`plait info`."""

from __future__ import annotations

from plait.cli.options import Home, opened, print_json

__all__ = ["info"]


def info(home: Home) -> None:
    """Say what a home holds: counts, fields, bundles, weights; as JSON."""
    with opened(home) as shop:
        print_json(shop.info())

"""`plait info`."""

from __future__ import annotations

from plait.cli.options import Home, open_home
from plait.cli.output import print_json

__all__ = ["info"]


def info(home: Home) -> None:
    """Say what a home holds: counts, fields, bundles, weights; as JSON.

    Args:
        home: The folder of the log, the bundles and the key.
    """
    with open_home(home) as workspace:
        print_json(workspace.info())

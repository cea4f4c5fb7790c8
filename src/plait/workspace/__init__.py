"""Everything the library does, without HTTP: `plait.open`, `Shop`, `Answer`."""

from plait.workspace.ingest import Receipts
from plait.workspace.response import Answer, Shown
from plait.workspace.workspace import Shop, open  # noqa: A004  plait.open

__all__ = ["Answer", "Receipts", "Shop", "Shown", "open"]

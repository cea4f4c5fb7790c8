"""Everything the library does, without HTTP: `plait.open`, `Shop`, `Answer`."""

from plait.workspace.ingest import ImportReport
from plait.workspace.response import RankedItem, Response
from plait.workspace.workspace import Workspace, open  # noqa: A004  plait.open

__all__ = ["ImportReport", "RankedItem", "Response", "Workspace", "open"]

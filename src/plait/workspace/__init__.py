"""Everything the library does, without HTTP: `plait.open`, `Workspace`, `Response`."""

from plait.workspace.ingest import ImportReport
from plait.workspace.open_home import open  # noqa: A004  plait.open
from plait.workspace.response import RankedItem, Response
from plait.workspace.workspace import Workspace

__all__ = ["ImportReport", "RankedItem", "Response", "Workspace", "open"]

"""Request bodies: closed models, so that a misspelt field is refused by its name."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from plait.ingest.posted_rows import EventRow
from plait.workspace.query_validation import (
    MAX_ITEMS,
    Rank,
    Recommend,
    Search,
    Similar,
)

__all__ = [
    "Body",
    "EventRow",
    "Events",
    "Next",
    "Rank",
    "Recommend",
    "Search",
    "Similar",
]


class Body(BaseModel):
    """A body: closed, and strict about types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Next(Body):
    """More of an earlier answer, without repeats."""

    request_id: str = Field(min_length=1, description="the earlier answer")
    k: int = Field(10, ge=1, le=MAX_ITEMS, description="how many more items")


class Events(Body):
    """A batch of events; each row gets a status of its own."""

    events: list[EventRow]

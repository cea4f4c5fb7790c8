"""Request bodies: closed models that refuse a misspelt field by its name."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from plait.ingest.posted_rows import EventRow
from plait.schema.event_bounds import MAX_ID_LENGTH, WholeNumber
from plait.workspace.query_control_types import bounded_list
from plait.workspace.query_validation import (
    MAX_ITEMS,
    MAX_TEXT,
    ExternalId,
    Rank,
    Recommend,
    Search,
    Similar,
)

__all__ = [
    "Body",
    "Complete",
    "EventRow",
    "Events",
    "ItemRow",
    "Items",
    "Merge",
    "Next",
    "Rank",
    "Recommend",
    "RecommendBatch",
    "Search",
    "Similar",
    "Unmerge",
]


class Body(BaseModel):
    """A body: closed, and strict about types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Complete(Body):
    """A text that is being typed."""

    text: str = Field(max_length=MAX_TEXT, description="what is typed so far")
    k: int = Field(10, ge=1, le=100, description="the most completions")


class Next(Body):
    """More of an earlier answer, without repeats."""

    request_id: str = Field(min_length=1, description="the earlier answer")
    k: int = Field(10, ge=1, le=MAX_ITEMS, description="how many more items")


class RecommendBatch(Recommend):
    """Items for each of many users; what else the body says holds for all of them."""

    user: None = Field(None, description="must be absent: users names them")
    users: Annotated[list[ExternalId], *bounded_list(MAX_ITEMS)] = Field(
        min_length=1, description="who asks; unknown users are welcome"
    )


class ItemRow(BaseModel):
    """One change of the catalogue. Rows are checked one by one."""

    model_config = ConfigDict(extra="allow")

    id: Annotated[str, StringConstraints(min_length=1, max_length=MAX_ID_LENGTH)] | WholeNumber = (
        Field(description="the item")
    )
    op: Literal["upsert", "merge", "delete", "put", "patch"] = Field(
        "upsert", description="upsert: all fields; merge: some fields; delete"
    )
    fields: dict[str, Any] | None = Field(
        None, description="the fields; without it, every key beside id and op"
    )


class Items(Body):
    """A batch of changes of items; each row gets a status of its own."""

    items: list[ItemRow]


class Merge(Body):
    """A guest becomes a customer."""

    source: ExternalId = Field(alias="from", description='the guest, such as "session:3f9a"')
    into: ExternalId = Field(description="the customer")


class Unmerge(Body):
    """A merge is taken back."""

    source: ExternalId = Field(alias="from", description="the guest that was merged")


class Events(Body):
    """A batch of events; each row gets a status of its own."""

    events: list[EventRow]

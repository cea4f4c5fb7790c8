"""Response bodies as OpenAPI documents them; responses are rendered without these models."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "AnyObject",
    "ChangeResponse",
    "CompletionsResponse",
    "EntityResponse",
    "ErrorResponse",
    "EventsResponse",
    "InfoResponse",
    "ItemsResponse",
    "ListResponse",
    "ManyItemsResponse",
    "MergeResponse",
    "RequestResponse",
    "StatusResponse",
]


class AnyObject(BaseModel):
    """Any JSON object."""

    model_config = ConfigDict(extra="allow")


class ErrorBody(BaseModel):
    """What went wrong."""

    code: str = Field(description="the kind of error")
    message: str = Field(description="what was expected")
    hint: str = Field(description="the next step")
    field: str = Field(description="the part of the request at fault")


class ErrorResponse(BaseModel):
    """The one shape of every error."""

    error: ErrorBody


class SharedField(BaseModel):
    """A field in which two items agree."""

    field: str
    value: str


class Reason(BaseModel):
    """Why an item is there."""

    model: str | None = Field(
        description="the model that retrieved the item, or the step that filled the list"
    )
    rank: int | None = Field(description="its rank from 1 among what the model retrieved")
    because: str | None = Field(description="the id of the item that it rests on")
    fact: SharedField | None = Field(description="a field in which both items agree")
    text: str = Field(description="a sentence of at most 120 characters")
    key: str = Field("own", description="what the sentence claims, such as bought_together")
    action: str | None = Field(None, description="what it says was done: bought, viewed or rated")
    words: list[str] = Field(default_factory=list, description="the words of the item it quotes")
    count: int | None = Field(None, description="the number in the sentence")
    users: int | None = Field(None, description="how many users both items share (companions)")


class Item(BaseModel):
    """One item of a response."""

    id: str
    score: float | None = Field(
        description="null where nothing is known of the item, or no model found it"
    )
    reasons: list[Reason] = Field(description="the strongest first")
    fields: dict[str, Any] | None = Field(None, description="the fields that the query asks for")
    status: str | None = Field(None, description="why an item of the caller's list has no score")
    filled: bool = Field(
        False, description="no model found the item: it fills a list that would be too short"
    )


class ItemsResponse(BaseModel):
    """Items, best first."""

    request_id: str = Field(description="names the response in /v1/next and /v1/requests")
    bundle: str = Field(description="the bundle that answered")
    version: int = Field(description="the last version of the log that the response knows of")
    worker: str = Field(description="the process that answered")
    items: list[Item]
    degraded: list[str] = Field(
        description='"stale": the state was behind at_least; the name of a model that failed or '
        'took too long; "unknown_event_type:NAME"'
    )
    did_you_mean: str | None = Field(
        None, description="the text of a search with its typing errors corrected, if it has any"
    )


class CompletedText(BaseModel):
    """How a text goes on."""

    text: str
    count: int = Field(description="how many items have all of its words")


class CompletionsResponse(BaseModel):
    """Completions, those of most items first."""

    completions: list[CompletedText]


class UserItems(BaseModel):
    """The items for one of many users."""

    user: str
    request_id: str = Field(description="names the response in /v1/next and /v1/requests")
    items: list[Item]
    degraded: list[str]


class ManyItemsResponse(BaseModel):
    """Items for many users."""

    bundle: str = Field(description="the bundle that answered")
    version: int = Field(description="the last version of the log that all responses know of")
    worker: str = Field(description="the process that answered")
    responses: list[UserItems] = Field(description="one for each user, in their order")


class ListedItem(BaseModel):
    """One item of a listing."""

    id: str
    fields: dict[str, Any] = Field(description="those of the requested fields that the item has")


class ValueCount(BaseModel):
    """How many of the listed items have a value."""

    value: str | float | None = Field(description="null: the items without a value")
    count: int


class ListResponse(BaseModel):
    """A page of the listing."""

    version: int = Field(description="the last version of the log that the response knows of")
    total: int = Field(description="how many items the whole listing has")
    items: list[ListedItem]
    cursor: str | None = Field(description="sent back, it leads to the next page; null: the last")
    counts: dict[str, list[ValueCount]] = Field(
        description="by field, how many of all listed items have which value"
    )
    degraded: list[str] = Field(description='"stale": the state was behind at_least')


class ModelEvidence(BaseModel):
    """What one model said of an item."""

    rank: int | None
    score: float


class ExplainedItem(Item):
    """One item of an earlier response."""

    propensity: float = Field(1.0, description="the probability that it was shown here")
    strands: dict[str, ModelEvidence] = Field(
        default_factory=dict, description="by model, the rank and the score"
    )


class RequestResponse(BaseModel):
    """An earlier response: the query, what was shown and why."""

    request_id: str
    route: str
    time: str
    user: str | None
    bundle: str
    version: int
    query: dict[str, Any]
    items: list[ExplainedItem]
    candidates: int = Field(description="how many candidates there were")
    removed: dict[str, int] = Field(description="by rule, how many candidates it removed")
    degraded: list[str]
    worker: str


class LostFieldResponse(BaseModel):
    """A field that a row is stored without."""

    field: str
    value: str
    expected: str


class EventNote(BaseModel):
    """Something that looks wrong in an event which is stored all the same."""

    code: str = Field(description="misspelt-kind or unknown-request")
    field: str
    message: str


class EventStatus(BaseModel):
    """What became of one event."""

    id: str
    status: str = Field(description="stored, duplicate, conflict or rejected")
    error: str
    lost: list[LostFieldResponse] = Field(
        default=[], description="fields that did not fit; absent if there are none"
    )
    notes: list[EventNote] = Field([], description="what looks wrong; left out if nothing does")


class EventsResponse(BaseModel):
    """What became of a batch of events."""

    version: int = Field(description="what at_least of a later query may name")
    rows: list[EventStatus]


class ChangeResponse(BaseModel):
    """A change of an item or user."""

    id: str
    version: int = Field(description="the version of the log that holds the change")


class MergeResponse(BaseModel):
    """A merge of users, or the end of one."""

    source: str = Field(alias="from", description="the guest")
    into: str | None = Field(description="the customer; null: the guest is apart again")
    version: int = Field(description="the version of the log that holds the change")


class EntityResponse(ChangeResponse):
    """What is known of an item or user."""

    fields: dict[str, Any]


class StatusResponse(BaseModel):
    """Whether the process is well."""

    status: str
    degraded: list[str] | None = Field(
        None, description='"stale": the log cannot be followed; absent when all is well'
    )


class InfoResponse(BaseModel):
    """What a home holds."""

    version: int
    folded: int = Field(description="the version that this process knows of")
    items: int
    users: int
    customers: int | None = Field(description="users that are no guest sessions")
    guest_sessions: int | None = Field(description="null under pseudonyms")
    erased_users: int
    interactions: int
    kinds: dict[str, int] = Field(description="how many interactions there are of each type")
    fields: dict[str, dict[str, str]] = Field(description="by entity and field, its type")
    bundle: dict[str, Any] | None = Field(description="the bundle in use")
    bundles: list[str]
    sellable: dict[str, Any] = Field(
        description="what may be shown: ids without an item, the fields that say what is in stock, "
        "the field that names a product"
    )
    fitted_on_erased: list[str] = Field(description="bundles fitted on users erased since")
    problems: list[str] = Field(description="what keeps this process from being up to date")
    warnings: list[str] = Field(description="what puts the data of the home at risk")
    memory_mb: float

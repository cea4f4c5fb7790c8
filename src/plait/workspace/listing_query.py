"""The body of a listing request, one typed model for HTTP and Python; and its cursor."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
import orjson
from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic import ValidationError as ModelError

from plait.errors import InputError
from plait.ranking.listing_order import Position
from plait.workspace.query_control_types import bounded_list
from plait.workspace.query_validation import (
    MAX_EXCLUDED,
    MAX_FILTER,
    MAX_ITEMS,
    ExternalId,
    model_error,
)

__all__ = ["Cursor", "ListQuery", "parse_list_query"]

MAX_FIELDS = 100
MAX_COUNTED_FIELDS = 20
MAX_CURSOR = 8192
MAX_NAME = 512


def _whole_number(value: Any) -> Any:
    return int(value) if isinstance(value, np.integer) else value


_Name = Annotated[str, StringConstraints(min_length=1, max_length=MAX_NAME)]


class ListQuery(BaseModel):
    """Items in a stated order, page by page; closed, and strict about types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    filter: Annotated[str, StringConstraints(max_length=MAX_FILTER)] | None = Field(
        None, description='which items are listed: category == "lamps"'
    )
    sort: _Name = Field(
        "popularity", description="popularity, newness, id, or a field of the items"
    )
    order: Literal["asc", "desc"] | None = Field(
        None, description="asc or desc; by default popular and new items first, else ascending"
    )
    k: Annotated[int, Field(ge=1, le=MAX_ITEMS), BeforeValidator(_whole_number)] = Field(
        10, description="how many items a page has"
    )
    cursor: Annotated[str, StringConstraints(max_length=MAX_CURSOR)] | None = Field(
        None, description="the cursor of the page before; none: the first page"
    )
    fields: Annotated[list[_Name], *bounded_list(MAX_FIELDS)] = Field(
        default_factory=list, description='the fields to return; ["*"]: all'
    )
    counts: Annotated[list[_Name], *bounded_list(MAX_COUNTED_FIELDS)] = Field(
        default_factory=list,
        description="fields whose values are counted over all that is listed; also `count`",
        validation_alias=AliasChoices("counts", "count"),
    )
    exclude: Annotated[list[ExternalId], *bounded_list(MAX_EXCLUDED)] = Field(
        default_factory=list, description="items that must not come"
    )
    group_by: Annotated[str, StringConstraints(max_length=MAX_NAME)] | None = Field(
        None,
        description="list one item of each value of this field, the first in the order; auto: of "
        "the field that names an item's product; empty: all items; null: as the recipe says",
    )
    all: bool = Field(False, description="also items that the rules of the recipe keep back")
    at_least: Annotated[int, Field(ge=0), BeforeValidator(_whole_number)] | None = Field(
        None, description="wait until this version is known, for a second at most"
    )

    @property
    def is_descending(self) -> bool:
        """Whether the largest values come first."""
        if self.order is None:
            return self.sort in ("popularity", "newness")
        return self.order == "desc"

    @property
    def digest(self) -> str:
        """Eight bytes that name what the pages of one listing have in common."""
        listing = [self.filter or "", self.sort, self.is_descending, self.all, self.group_by]
        return hashlib.blake2b(orjson.dumps(listing), digest_size=8).hexdigest()


class Cursor:
    """Where the next page of a listing begins, as text that clients hand back.

    Attributes:
        position: The place in the order.
        item: The id of the item that was shown last.
        bundle: The bundle that popularity was counted with.
    """

    def __init__(self, position: Position, item: str, bundle: str) -> None:
        self.position = position
        self.item = item
        self.bundle = bundle

    def encode(self, query: ListQuery) -> str:
        """Write the cursor.

        Args:
            query: The listing that it continues.

        Returns:
            Text of letters, digits, - and _.
        """
        place = [self.position.value, str(self.position.tiebreak), self.item, self.bundle]
        return base64.urlsafe_b64encode(orjson.dumps([query.digest, *place])).decode().rstrip("=")

    @staticmethod
    def of(query: ListQuery) -> Cursor | None:
        """Read the cursor of a query.

        Args:
            query: The query.

        Returns:
            The cursor, None for the first page.

        Raises:
            InputError: If it is no cursor, or one of another listing.
        """
        if not query.cursor:
            return None
        try:
            padded = query.cursor + "=" * (-len(query.cursor) % 4)
            digest, value, tiebreak, item, bundle = orjson.loads(
                base64.b64decode(padded, altchars=b"-_", validate=True)
            )
            is_typed = isinstance(value, float | int | str | None)
            position = Position(value, int(tiebreak))
            if not is_typed or not 0 <= position.tiebreak < 2**64:
                raise ValueError("no place")
        except (ValueError, TypeError):
            raise InputError(
                "this is no cursor",
                hint="send the cursor of the page before as it is, or none for the first page",
                field="cursor",
            ) from None
        if digest != query.digest:
            raise InputError(
                "the cursor belongs to another listing",
                hint="send it with the filter, sort, order, group_by and all of the first page",
                field="cursor",
            )
        return Cursor(position, str(item), str(bundle))


def parse_list_query(values: Mapping[str, Any]) -> ListQuery:
    """Make a query from keyword arguments.

    Args:
        values: The fields of `ListQuery` by name.

    Returns:
        The query.

    Raises:
        InputError: If a value is wrong; its `field` names the first one.
        TooLargeError: If a list or text is too long.
    """
    try:
        return ListQuery.model_validate(values)
    except ModelError as problem:
        raise model_error(ListQuery, problem, nested=False) from None

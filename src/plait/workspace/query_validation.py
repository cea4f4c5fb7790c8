"""The body of a query, one typed model for HTTP and Python, validated once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal, TypedDict

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic import ValidationError as ModelError

from plait.data.query_controls import Boost, PinnedItem, SeenRule
from plait.data.types import Query
from plait.errors import InputError, TooLargeError
from plait.ingest.plain_values import MAX_LEVELS
from plait.ingest.posted_rows import SESSION
from plait.pipeline.reason_templates import LANGUAGE_NAMES, LANGUAGES
from plait.schema.event_bounds import MAX_ID_LENGTH, WholeNumber
from plait.utils.timestamps import to_micros
from plait.utils.toml_json import is_nested_deeper
from plait.workspace.query_control_types import (
    Boosts,
    EventTypes,
    FieldNames,
    Pins,
    Seen,
    as_list,
    bounded_list,
    id_text,
    whole_number,
)

__all__ = [
    "MAX_ITEMS",
    "ExternalId",
    "QueryBody",
    "QueryModel",
    "QueryOptions",
    "QueryParameters",
    "Rank",
    "Recommend",
    "Search",
    "Similar",
    "model_error",
    "parse_query",
    "unknown_field_error",
    "validate_query",
]

MAX_ITEMS = 1000
"""The largest k, and the longest history, anchor or candidate list of a query."""

MAX_EXCLUDED = 10_000
MAX_TEXT = 2_000
MAX_CONTEXT = 16 * 1024
MAX_FILTER = 10_000
MAX_SHOWN = 200
"""How many characters of what a caller sent are repeated in an error."""


class QueryOptions(TypedDict, total=False):
    """Keyword arguments that every query takes.

    Attributes:
        history: Items of this session that the log does not know yet, oldest first.
        filter: A rule that items must satisfy, such as `category == "lamps"`.
        exclude: Items that must not be returned.
        context: Time, place, device, ...
        seen: "keep" or "remove" items that the user knows; event types such as ["purchase"], by
            which alone they are removed; or a `SeenRule`. None leaves it to the recipe.
        session: The id of a session, whose events join those of the user.
        boosts: Which items move up or down: mappings with `filter` and `factor`, or `Boost`.
        pins: Items with a fixed position: ids, mappings with `item` and `position`, `PinnedItem`.
        fields: The fields to return with each item; ["*"]: all.
        group_by: The field of which the response shows one variant; None leaves it to the recipe.
        at_least: Wait until this version of the log is known, for a second at most.
        time: When the query is asked: a datetime, ISO 8601 or a unix time.
        language: The language of the reasons: en, de, fr, es or zh; None: as the recipe says.
    """

    history: Iterable[str]
    filter: str | None
    exclude: Iterable[str]
    context: Mapping[str, Any] | None
    seen: Literal["keep", "remove"] | Iterable[str] | Mapping[str, Any] | SeenRule | None
    session: str | None
    boosts: Sequence[Any]
    pins: Sequence[Any]
    fields: Iterable[str]
    group_by: str | None
    at_least: int | None
    time: Any
    language: str | None


def _context(value: Any) -> Any:
    """A context is kept with the response, so it must be JSON and have a limited size."""
    if not isinstance(value, Mapping) or not value:
        return value
    try:
        if is_nested_deeper(value, MAX_LEVELS):  # orjson would end the process for deep tuples
            raise ValueError(f"more than {MAX_LEVELS} levels of lists and objects")
        size = len(orjson.dumps(dict(value), option=orjson.OPT_SERIALIZE_NUMPY))
    except (TypeError, ValueError) as problem:
        message = f"context holds a value that JSON cannot express: {problem}"
        raise InputError(message, field="context") from problem
    if size > MAX_CONTEXT:
        message = f"context has {size} bytes as JSON, the limit is {MAX_CONTEXT}"
        raise TooLargeError(message, field="context")
    return dict(value)


def _language(value: Any) -> Any:
    """The main part of a language tag: "de-AT" and "DE" are "de"."""
    if not isinstance(value, str):
        return value
    language = value.strip().replace("_", "-").partition("-")[0].lower()
    if language not in LANGUAGES:
        known = ", ".join(LANGUAGES)
        message = f"reasons cannot be written in {value[:40]!r}, expected one of {known}"
        code = LANGUAGE_NAMES.get(value.strip().lower(), "")
        hint = f"write {code}" if code else "leave language out: the recipe has a default"
        raise InputError(message, hint=hint, field="language")
    return language


_IdText = Annotated[str, StringConstraints(min_length=1, max_length=MAX_ID_LENGTH)]
_AnyId = Annotated[
    str,
    StringConstraints(max_length=MAX_ID_LENGTH),
    BeforeValidator(id_text, json_schema_input_type=_IdText | WholeNumber),
]
"""An id from Python: an empty one is allowed, and is unknown."""

ExternalId = Annotated[_AnyId, StringConstraints(min_length=1)]
_SessionText = Annotated[
    str, StringConstraints(min_length=1, max_length=MAX_ID_LENGTH - len(SESSION))
]
_SessionId = Annotated[
    _SessionText, BeforeValidator(id_text, json_schema_input_type=_SessionText | WholeNumber)
]
_Ids = Annotated[list[ExternalId], *bounded_list(MAX_ITEMS)]
_ExcludedIds = Annotated[list[ExternalId], *bounded_list(MAX_EXCLUDED)]
_AnyIds = Annotated[list[_AnyId], *bounded_list(MAX_ITEMS, as_list)]
_AnyExcludedIds = Annotated[list[_AnyId], *bounded_list(MAX_EXCLUDED, as_list)]
_Count = Annotated[int, Field(ge=1, le=MAX_ITEMS), BeforeValidator(whole_number)]
_Version = Annotated[int, Field(ge=0), BeforeValidator(whole_number)]
_Context = Annotated[dict[str, Any], BeforeValidator(_context)]
_Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=MAX_TEXT)]
_Language = Annotated[str, BeforeValidator(_language)]
_Filter = Annotated[str, StringConstraints(max_length=MAX_FILTER)]


class QueryModel(BaseModel):
    """What every query may say; closed, and strict about types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    user: ExternalId | None = Field(None, description="who asks; unknown users are welcome")
    context: _Context = Field(default_factory=dict, description="time, place, device, ...")
    history: _Ids = Field(
        default_factory=list, description="items seen lately, oldest first, not yet in the log"
    )
    at_least: _Version | None = Field(
        None, description="wait until this version is known, for a second at most"
    )
    session: _SessionId | None = Field(
        None, description="the id of a session, whose events join those of the user"
    )
    fields: FieldNames = Field(
        default_factory=list, description='fields to return with each item; ["*"]: all'
    )

    language: _Language | None = Field(
        None, description="of the reasons: en, de, fr, es or zh; null: as the recipe says"
    )

    def to_query(self) -> Query:
        """Convert to the query that `QueryService.run` takes.

        Returns:
            The query, at the time that its context states if any.

        Raises:
            InputError: If the context states a time that cannot be read.
        """
        values = self._specific()
        if "time" not in values and self.context.get("time") is not None:
            values["time"] = to_micros(self.context["time"], "context.time")
        return Query(
            user=self.user,
            history=tuple(self.history),
            context=self.context,
            session=self.session,
            fields=tuple(self.fields),
            language=self.language,
            **values,
        )

    def _specific(self) -> dict[str, Any]:
        """What only this kind of query says."""
        raise NotImplementedError


class QueryBody(QueryModel):
    """What every query that retrieves items may say."""

    k: _Count = Field(10, description="how many items to answer with")
    filter: _Filter | None = Field(None, description='which items may come: category == "lamps"')
    exclude: _ExcludedIds = Field(default_factory=list, description="items that must not come")
    seen: Seen = Field(
        None, description="keep, remove, or the kinds of event by which seen items are removed"
    )
    boosts: Boosts = Field(default_factory=list, description="which items move up or down")
    pins: Pins = Field(default_factory=list, description="items with a fixed position")
    group_by: str | None = Field(
        None, max_length=512, description="the field of which one variant is shown"
    )

    def _specific(self) -> dict[str, Any]:
        return {
            "k": self.k,
            "filter": self.filter or None,
            "exclude": tuple(self.exclude),
            "seen": self.seen,
            "boosts": tuple(Boost(boost.filter, boost.factor) for boost in self.boosts),
            "pins": tuple(PinnedItem(pin.item, pin.position) for pin in self.pins),
            "group_by": self.group_by,
        }


class Recommend(QueryBody):
    """Items for a user."""


class Search(QueryBody):
    """Items for words, and for the user who typed them."""

    text: Annotated[_Text, Field(min_length=1)] = Field(description="the words")

    def _specific(self) -> dict[str, Any]:
        return {**super()._specific(), "text": self.text, "seen": self.seen or "keep"}


class Similar(QueryBody):
    """Items like one item, or like several."""

    item: ExternalId | None = Field(None, description="the item to start from")
    items: _Ids = Field(default_factory=list, description="or several, such as those of a cart")
    event_types: EventTypes = Field(
        default_factory=list,
        description="items that share users by these kinds of event come first: purchase",
    )

    def _specific(self) -> dict[str, Any]:
        anchors = self.items if self.item is None else [self.item, *self.items]
        if not anchors:
            raise InputError("item is missing", hint="item: the item to start from", field="item")
        return {
            **super()._specific(),
            "items": tuple(dict.fromkeys(anchors)),
            "seen": self.seen or "keep",
            "event_types": tuple(self.event_types),
        }


class Rank(QueryModel):
    """The caller's list, put in order."""

    items: Annotated[_Ids, Field(min_length=1)] = Field(description="the items to order")

    def _specific(self) -> dict[str, Any]:
        candidates = tuple(self.items)
        return {"k": len(candidates), "candidates": candidates, "seen": "keep"}


class QueryParameters(QueryBody):
    """What a query from Python may say: any iterables of ids, which may be empty."""

    user: _AnyId | None = None
    history: _AnyIds = Field(default_factory=list)
    exclude: _AnyExcludedIds = Field(default_factory=list)
    text: _Text | None = None
    items: _AnyIds = Field(default_factory=list)
    candidates: _AnyIds | None = None
    event_types: EventTypes = Field(default_factory=list)
    time: int | None = None

    def _specific(self) -> dict[str, Any]:
        stated = {} if self.time is None else {"time": self.time}
        return {
            **super()._specific(),
            **stated,
            "text": self.text or None,
            "items": tuple(self.items),
            "candidates": None if self.candidates is None else tuple(self.candidates),
            "event_types": tuple(self.event_types),
        }


def validate_query(query: Query) -> Query:
    """Validate a query that was made in Python.

    Args:
        query: The query; ids may also be whole numbers, and lists any iterables.

    Returns:
        The query with ids as strings, in tuples.

    Raises:
        InputError: If a value is wrong; its `field` names the first one.
        TooLargeError: If a list or text is too long.
    """
    names = QueryParameters.model_fields
    return parse_query({name: getattr(query, name) for name in names if name != "at_least"})


def parse_query(values: Mapping[str, Any]) -> Query:
    """Make a query from keyword arguments.

    Args:
        values: The fields of `QueryParameters` by name.

    Returns:
        The query.

    Raises:
        InputError: If a value is wrong; its `field` names the first one.
        TooLargeError: If a list or text is too long.
    """
    try:
        return QueryParameters.model_validate(values).to_query()
    except ModelError as problem:
        error = model_error(QueryParameters, problem, nested=False)
        if error.field == "candidates":
            error.field = "items"  # the name that callers of `rank` use
        raise error from None


def model_error(
    model: type[BaseModel], problem: ModelError, *, nested: bool = True
) -> InputError | TooLargeError:
    """Convert what pydantic reports to one of Plait's errors.

    Args:
        model: The model that refused a value.
        problem: What it reported.
        nested: Whether `field` names the position within a list too.

    Returns:
        The error for the first wrong value; a misspelt field goes first, because it explains the
        one that is missing.
    """
    errors = problem.errors(include_url=False, include_input=False)
    first = min(errors, key=lambda error: error["type"] != "extra_forbidden")
    kind, message = first["type"], first["msg"]
    path = ".".join(str(step) for step in first["loc"])
    top = path.partition(".")[0]
    if kind == "extra_forbidden":
        return unknown_field_error(model, {path: None})
    field = path if nested else top
    if kind in ("too_long", "string_too_long"):
        unit = "ids" if kind == "too_long" else "characters"
        limit = f"more than {first['ctx']['max_length']} {unit}"
        return TooLargeError(f"{path} has {limit}", field=top)
    if kind in ("too_short", "string_too_short"):
        message = "is empty"
    description = model.model_fields[top].description if top in model.model_fields else None
    hint = f"{path}: {description}" if description else ""
    message = message.removeprefix("Value error, ").removeprefix("Input ")
    return InputError(f"{path}: {message[:1].lower()}{message[1:]}", hint=hint, field=field)


def unknown_field_error(model: type[BaseModel], value: Mapping[str, Any]) -> InputError:
    """Make the error for a field that a model does not have.

    Args:
        model: The model.
        value: Fields by name, at least one of which the model lacks.

    Returns:
        The error for the first of them.
    """
    known = {field.alias or name for name, field in model.model_fields.items()}
    path = next(name for name in value if name not in known)[:MAX_SHOWN]
    hint = f"fields are {', '.join(model.model_fields)}"
    return InputError(f"there is no field {path!r}", hint=hint, field=path)

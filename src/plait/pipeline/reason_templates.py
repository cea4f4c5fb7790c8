"""The sentences by which a model declares how its items are explained."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ReasonTemplates"]


@dataclass(frozen=True, slots=True)
class ReasonTemplates:
    """Sentences that explain why a model stands for an item, by what the explanation rests on.

    An empty sentence does not apply; then the next that applies is taken, `default` last. A
    sentence may contain `{item}`, the title of the explained item; `{because}`, that of the
    item of the history or the query that weighs most; `{field}` and `{value}`, a field in which the
    two agree; `{words}`, the text of the query; `{context}`, the value of the query's context
    field; `{query_item}`, the title of an item that the query starts from; `{model}`, the name of
    the model.

    Attributes:
        same_item: The item is in the history itself.
        query_item: The most important item is one that the query starts from.
        shared_value: The most important item agrees with this one in a field.
        history_item: The most important item is in the history.
        text: No single item is most important, and the query has text.
        like_query_item: No single item is most important, and the query starts from items.
        context: No single item is most important, and the context field has a value.
        default: None of these applies.
    """

    same_item: str = ""
    query_item: str = "Goes with {because}"
    shared_value: str = "Because you took {because}: both {field} {value}"
    history_item: str = "Because you took {because}"
    text: str = ""
    like_query_item: str = ""
    context: str = ""
    default: str = "Found by {model}"

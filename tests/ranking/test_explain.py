"""Every shown item says why it is there, strongest reason first."""

import json
from dataclasses import replace

import numpy as np
import pytest

from plait.pipeline.registry import stage_class
from plait.pipeline.stage import Scorer
from plait.ranking.explanation.explain import Explain, ExplainConfig
from tests.ranking.candidate_fixtures import ask, candidates, live, ragged

NAN = float("nan")
MODELS = [
    stage_class(name)(name=name)
    for name in ("popular", "repeat", "neighbours", "linear", "content", "factors", "lexical")
]


def explained(items, queries, **config):
    items = items.with_columns(
        order=np.where(items.item_numbers >= 0, np.arange(items.shape[1]), -1).astype(np.int32)
    )
    step = Explain(ExplainConfig(**config), name="explain").with_models(MODELS)
    return step.apply(queries, items).column("reasons")


def because(items, **numbers):
    named = {f"{name}.because": np.array(one, np.int32) for name, one in numbers.items()}
    return items.with_columns(**named)


def text(strand, number=0, source=-1, queries=None, **config):
    """The sentence for one item that one strand brought."""
    items = candidates([number], **{f"{strand}__score": [[1.0]], f"{strand}__rank": [[0]]})
    items = because(items, **{strand: [[source]]})
    queries = ask(live=live()) if queries is None else replace(queries, live=live())
    return explained(items, queries, **config)[0, 0][0]["text"]


@pytest.mark.parametrize(
    ("strand", "source", "expected"),
    [
        ("popular", -1, "Popular right now"),
        ("repeat", 0, "You come back to it"),
        ("neighbours", 2, "Because you took Red lamp"),
        ("neighbours", 7, "Because you took i7"),
        ("neighbours", 0, "You come back to it"),
        ("linear", -1, "Things like it go with what you took"),
        ("content", 1, "Like Blue Mug: both category mugs"),
        ("content", 2, "Like Red lamp: both tags red"),
        ("content", 5, "Like straße"),
        ("content", -1, "Like what you took before"),
        ("factors", -1, "Found by factors"),
        ("factors", 1, "Because you took Blue Mug: both category mugs"),
        ("factors", 5, "Because you took straße"),
        ("lexical", -1, "Found by lexical"),
    ],
)
def test_sentences(strand, source, expected):
    assert text(strand, 0, source) == expected


def test_sentences_of_other_questions():
    words = ask(texts=("red mug",))
    assert text("lexical", queries=words) == "Matches your words 'red mug'"
    assert text("content", queries=words) == "Says something like 'red mug'"
    anchor = ask(items=ragged([1]))
    assert text("neighbours", 0, 1, anchor) == "Often taken together with Blue Mug"
    assert text("neighbours", 0, -1, anchor) == "Things like it go with Blue Mug"
    assert text("factors", 0, 1, anchor) == "Goes with Blue Mug"
    for context in ({"country": "France"}, {"user": {"country": "France"}}):
        asked = ask(contexts=(context,))
        assert text("popular", queries=asked, context_field="country") == "Popular in France"
        assert text("popular", queries=asked) == "Popular right now"


def test_own_sentences_and_titles():
    mine = {"popular": "{item} is hot ({model})", "linear": "{because} goes with {item} {x}"}
    assert text("popular", 0, templates=mine) == "Red mug is hot (popular)"
    assert text("linear", 0, 2, templates=mine) == "Red lamp goes with Red mug {x}"
    assert text("linear", 0, 2, title="brand") == "Because you took OPI"


def test_reasons_are_complete_and_ordered_by_share():
    items = candidates(
        [0, 3],
        popular__score=[[0.1, NAN]],
        neighbours__score=[[2, 3]],
        content__score=[[0.3, 0.9]],
        lexical__score=[[NAN, NAN]],
        popular__rank=[[4, -1]],
        neighbours__rank=[[-1, 2]],
        content__rank=[[0, -1]],
        lexical__rank=[[-1, -1]],
        popular__share=[[0.2, 0.5]],
        neighbours__share=[[0.7, 0.1]],
        content__share=[[-0.1, -0.2]],
        lexical__share=[[0, 0]],
    )
    items = because(items, neighbours=[[1, 2]], content=[[1, 2]])
    first, second = explained(items, ask((1, 2), live=live()))[0]
    assert [one["model"] for one in first] == ["neighbours", "popular", "content"]
    assert first[0] == {
        "model": "neighbours",
        "rank": None,
        "because": "i1",
        "fact": {"field": "category", "value": "mugs"},
        "text": "Because you took Blue Mug",
    }
    assert first[1]["rank"] == 5
    assert [one["model"] for one in second] == ["neighbours"]
    assert second[0]["fact"] == {"field": "category", "value": "lamps"}
    json.dumps([first, second])
    assert [one["model"] for one in explained(items, ask(live=live()), max_reasons=1)[0, 0]] == [
        "neighbours"
    ]


def test_what_is_not_shown_needs_no_reason():
    items = candidates([0, 1], popular__score=[[1, 2]], order=[[0, -1]])
    items = items.with_columns(order=np.array([[0, -1]], np.int32))
    reasons = Explain(name="explain").apply(ask(live=live()), items).column("reasons")
    assert reasons[0, 1] is None
    assert reasons[0, 0] == []


def test_pins_say_so_first():
    items = candidates(
        [0], popular__score=[[1]], popular__rank=[[0]], popular__share=[[0.5]], pins__rank=[[0]]
    )
    found = explained(items, ask(live=live()))[0, 0]
    assert [one["text"] for one in found] == ["Chosen by the editors", "Popular right now"]


def test_without_a_catalogue_numbers_stand_in():
    items = because(candidates([0], linear__score=[[1]], linear__rank=[[0]]), linear=[[2]])
    found = explained(items, ask())[0, 0][0]
    assert found["because"] is None
    assert found["text"] == "Because you took item 2"


def test_explain_scores_nothing():
    assert not isinstance(Explain(), Scorer)

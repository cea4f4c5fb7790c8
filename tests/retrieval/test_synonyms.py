"""Tests of synonyms: files, directions, phrases, and that no typing error is seen in them."""

import numpy as np
import pytest

from plait.errors import InputError
from plait.retrieval.lexical import Lexical, LexicalConfig
from plait.retrieval.synonyms import read_synonyms
from plait.testing.queries import ask
from plait.testing.synthetic_data import make_dataset

TITLES = {
    "sofa": "grey sofa",
    "settee": "oak settee",
    "coach": "coach lantern",
    "disposer": "food waste disposer",
    "waste": "waste bin",
    "tv": "television stand",
}
LINES = """# furniture
sofa, couch, settee

garbage disposals => waste disposer
telly => television
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    path = tmp_path_factory.mktemp("synonyms") / "synonyms.txt"
    path.write_text(LINES, encoding="utf-8")
    items = {item: {"title": title} for item, title in TITLES.items()}
    dataset = make_dataset([], items=items)
    stage = Lexical(LexicalConfig(synonyms=str(path)), name="lexical").fit(dataset)
    path.unlink()  # it is read at a fit alone
    return stage, dataset.catalogue


def best(world, text):
    stage, catalogue = world
    numbers = stage.retrieve(ask(catalogue, texts=[text]), 10).item_numbers[0]
    return [catalogue.id(number) for number in numbers.tolist() if number >= 0]


def test_terms_of_a_group_find_each_other_in_any_form(world):
    assert set(best(world, "couches")) == {"sofa", "settee"}
    assert best(world, "sofa") == ["sofa", "settee"]  # the word itself is above its synonyms
    stage, catalogue = world
    assert stage.corrections(ask(catalogue, texts=["couch"])) == [{}]


def test_arrow_has_one_direction(world):
    assert best(world, "telly") == ["tv"]
    assert best(world, "grey telly")[:2] != []
    pairs = dict(world[0]._synonyms)
    assert ("television",) not in pairs


def test_phrase_stands_for_all_words_of_the_other(world):
    assert best(world, "garbage disposal") == ["disposer"]
    assert best(world, "garbage") == []


def test_stop_words_count_only_where_a_query_has_nothing_else():
    items = {"with": {"title": "Mug with handle"}, "blue": {"title": "blue mug"}}
    dataset = make_dataset([], items=items)
    stage = Lexical(LexicalConfig(stop_words=("With", "FOR")), name="lexical").fit(dataset)
    world = stage, dataset.catalogue
    assert best(world, "blue with") == ["blue"]
    assert best(world, "with") == ["with"]


def test_saved_model_knows_its_synonyms(world, tmp_path):
    stage, catalogue = world
    stage.save(tmp_path)
    loaded = Lexical.load(stage.config, "lexical", tmp_path)
    assert best((loaded, catalogue), "couch") == best(world, "couch")


@pytest.mark.parametrize(
    "text",
    ["sofa", "sofa, !", "a b c d e f, sofa", "sofa => ", b"\xff\xfe, sofa"],
)
def test_lines_that_are_no_synonyms_are_refused(tmp_path, text):
    path = tmp_path / "synonyms.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError) as caught:
        read_synonyms(str(path), "lexical.synonyms")
    assert caught.value.field == "lexical.synonyms"
    with pytest.raises(InputError):
        read_synonyms(str(tmp_path / "absent.txt"), "lexical.synonyms")


def test_synonyms_are_part_of_what_a_title_matches(world):
    stage, catalogue = world
    numbers = catalogue.numbers(["sofa", "coach"])[None, :]
    features = stage.match_features(ask(catalogue, texts=["couch"]), numbers)[0]
    assert np.isfinite(features).all()
    scores = stage.score(ask(catalogue, texts=["couch"]), numbers)[0]
    assert scores[0] > 0 == scores[1]

"""The language of a catalogue decides on the stemmer."""

import pytest

import plait
from plait.features.language_detection import detect_language
from plait.testing.synthetic_data import make_dataset

TITLES = {
    "german": ["Kaffeemaschine Duo", "Tasse rot", "Messer", "Küchenmesser mit Griff"],
    "french": ["Cafetière rouge", "Couteau de cuisine", "Veste imperméable pour femme"],
    "spanish": ["Cafetera roja", "Cuchillo de cocina", "Chaqueta impermeable de mujer"],
    "english": ["WHITE HANGING HEART T-LIGHT HOLDER", "Red kitchen knife", "Rain jacket for women"],
    "": ["龙井绿茶", "红色陶瓷茶杯", "乌龙茶礼盒"],
}


def catalogue_of(titles):
    fields = {f"i{n}": {"title": title} for n, title in enumerate(titles)}
    return make_dataset([], items=fields).catalogue


@pytest.mark.parametrize(("language", "titles"), TITLES.items())
def test_language_is_that_of_the_text_fields(language, titles):
    assert detect_language(catalogue_of(titles)) == language


@pytest.mark.parametrize("titles", [["XJ-900"], ["Red mug"], []])
def test_too_little_text_leaves_the_fallback(titles):
    assert detect_language(catalogue_of(titles)) == "english"


def test_german_plurals_find_german_singulars(tmp_path):
    with plait.open(tmp_path) as shop:
        shop.ingest(items=[{"item": str(n), "title": t} for n, t in enumerate(TITLES["german"])])
        shop.fit()
        assert shop.search("Kaffeemaschinen").ids == ["0"]
        assert shop.search("Tassen").ids == ["1"]
        assert shop.info()["bundle"]["learned"]["lexical"]["language"] == "german"
    with plait.open(tmp_path) as shop:
        assert shop.search("Tassen").ids == ["1"]

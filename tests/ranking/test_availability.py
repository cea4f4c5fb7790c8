"""Which items can be had, by known fields, words of many languages, counts and times."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plait.data.catalogue import Catalogue, Change
from plait.data.types import StateView
from plait.errors import InputError
from plait.pipeline.recipe import build_stage
from plait.ranking.availability import availability_of
from plait.ranking.stock_words import is_negative, is_stock_word
from plait.utils.timestamps import DAY, parse_time
from tests.pipeline.fake_stages import dataset
from tests.ranking.candidate_fixtures import NOW, Standing, ask, candidates
from tests.ranking.catalogue_fixtures import catalogue_of

NOW_ONLY = np.array([NOW], np.int64)


def shown(catalogue, fields=("auto",), times=NOW_ONLY):
    """The ids that can be had at each time; None if no field says anything."""
    mask = availability_of(catalogue, fields).mask(times)
    if mask is None:
        return None
    return [[catalogue.ids[number] for number in np.flatnonzero(row)] for row in mask]


def of_column(name, kind, values):
    return catalogue_of({name: kind}, [{name: value} for value in values])


@pytest.mark.parametrize(
    "text",
    [
        *("no", "No", "FALSE", "false", "f", "N", "0", " 0 ", "0.0", "0,00", "-3", "−1", "off"),
        *("out of stock", "Out Of Stock", "OutOfStock", "out_of_stock", "OUT-OF-STOCK", "sold out"),
        *("https://schema.org/OutOfStock", "http://schema.org/SoldOut", "schema.org/Discontinued"),
        *("Currently unavailable.", "temporarily out of stock", "0 in stock", "0 Stück", "0 pcs"),
        *("ausverkauft", "Ausverkauft!", "nein", "nicht auf Lager", "Nicht verfügbar"),
        *("nicht verfuegbar", "derzeit nicht lieferbar", "vergriffen", "épuisé", "EPUISE"),
        *("rupture de stock", "Indisponible", "agotado", "sin existencias", "no disponible"),
        *("esaurito", "non disponibile", "uitverkocht", "niet op voorraad", "esgotado"),
        *("slutsåld", "utsolgt", "vyprodáno", "niedostępny", "tükendi", "нет в наличии", "нет"),
        *(
            "缺货",
            "售罄",
            "已售罄",
            "无货",
            "否",
            "在庫なし",
            "売り切れ",
            "품절",
            "غير متوفر",
            "０",
        ),
        *("oos", "discontinued", "inactive"),
    ],
)
def test_words_that_deny(text):
    assert is_negative(text)


@pytest.mark.parametrize(
    "text",
    [
        *("yes", "true", "1", "5", "0.5", "1.299", "in stock", "InStock", "low stock", "preorder"),
        *("https://schema.org/InStock", "backorder", "12 in stock", "only 3 left", "10+", "<5"),
        *("auf Lager", "verfügbar", "sofort lieferbar", "ja", "en stock", "disponible", "oui"),
        *("有货", "在庫あり", "в наличии", "да", "５", "٥", "30 Tage", "nicht sofort verfügbar"),
        *("now", "none left behind", "Nordic", "north", "official"),
    ],
)
def test_words_that_do_not_deny(text):
    assert not is_negative(text)


@given(st.text(max_size=40))
def test_any_text_is_judged(text):
    assert is_negative(text) in (True, False)
    assert is_stock_word(text) in (True, False)


@pytest.mark.parametrize(
    "name",
    [
        *("available", "Available", "in_stock", "inStock", "In stock?", "IN-STOCK", "stock"),
        *("availability", "is_available", "isInStock", "stock_status", "Stock Quantity"),
        *("Verfügbar", "verfuegbar", "lager.bestand", "disponibilité", "en_stock", "Existencias"),
        *("giacenza", "disponível", "op voorraad"),
    ],
)
def test_known_names_whatever_their_spelling(name):
    values = ["true", "false", None, "", "sold out", "maybe"]
    assert shown(of_column(name, "category", values)) == [["i0", "i2", "i3", "i5"]]


@pytest.mark.parametrize("name", ["title", "stockings", "price", "rack", "stock_code", "restock"])
def test_other_names_say_nothing(name):
    assert shown(of_column(name, "category", ["no", "0", "sold out"])) is None
    assert shown(of_column(name, "number", [0.0, 1.0, -1.0])) is None


def test_numbers_above_zero_and_missing_ones_are_available():
    assert shown(of_column("stock", "number", [3.0, 0.0, -2.0, None, 0.5, np.inf])) == [
        ["i0", "i3", "i4", "i5"]
    ]


def test_a_set_denies_if_all_its_members_do():
    values = [("in stock",), ("sold out",), ("sold out", "preorder"), None]
    assert shown(of_column("availability", "set", values)) == [["i0", "i2", "i3"]]


def test_every_field_must_allow():
    fields = [
        {"available": "true", "stock": 0.0},
        {"available": "true", "stock": 2.0},
        {"stock": 1.0},
        {"available": "no"},
    ]
    catalogue = catalogue_of({"available": "category", "stock": "number"}, fields)
    assert shown(catalogue) == [["i1", "i2"]]
    assert shown(catalogue, ("available",)) == [["i0", "i1", "i2"]]
    assert shown(catalogue, ()) is None


@pytest.mark.parametrize("name", ["status", "quantity", "Status"])
def test_status_and_quantity_count_only_as_stock_words(name):
    stock = ["in stock", "sold out", None, "ausverkauft"]
    assert shown(of_column(name, "category", stock)) == [["i0", "i2"]]
    for values in (["in stock", "sold out", "draft"], ["0", "1"], ["no", "yes"], [None]):
        assert shown(of_column(name, "category", values)) is None
    assert shown(of_column(name, "number", [500.0, 0.0])) is None
    assert shown(of_column(name, "category", ["0", "1"]), (name,)) == [["i1"]]


def test_times_open_and_close():
    fields = [
        {"available_from": NOW + 1},
        {"available_from": NOW},
        {"available_until": NOW - 1},
        {"available_until": NOW + 1},
        {"available_from": NOW - DAY, "available_until": NOW + 1},
        {},
    ]
    catalogue = catalogue_of({"available_from": "time", "available_until": "time"}, fields)
    assert shown(catalogue) == [["i1", "i3", "i4", "i5"]]
    at = np.array([NOW, NOW + 1, NOW - 2], np.int64)
    later = shown(catalogue, times=at)
    assert later == [["i1", "i3", "i4", "i5"], ["i0", "i1", "i5"], ["i2", "i3", "i4", "i5"]]


def test_a_last_day_is_included():
    day = parse_time("2026-12-24")
    catalogue = of_column("available_until", "time", [day])
    evening = np.array([day + DAY - 1, day + DAY], np.int64)
    assert shown(catalogue, times=evening) == [["i0"], []]


def test_times_that_are_stored_as_text_or_numbers():
    texts = of_column("availableFrom", "category", ["2999-01-01", "2001-01-01", "soon", None])
    assert shown(texts) == [["i1", "i2", "i3"]]
    numbers = of_column("available_until", "number", [20010101.0, 29990101.0, 4.0, 1e9, 3.2e10])
    assert shown(numbers) == [["i1", "i2", "i4"]]


def test_what_is_in_force_is_described():
    catalogue = catalogue_of(
        {"in_stock": "category", "available_from": "time"},
        [{"in_stock": "no"}, {"available_from": NOW + DAY}, {}],
    )
    rules = availability_of(catalogue).rules(catalogue, catalogue.alive, NOW)
    assert [(rule.field, rule.n_unavailable) for rule in rules] == [
        ("in_stock", 1),
        ("available_from", 1),
    ]
    assert all(rule.field in rule.text for rule in rules)


def test_a_change_counts_at_once():
    before = of_column("stock", "number", [1.0, 0.0])
    after = before.updated([Change(0, "patch", {"stock": 0.0}, 9), Change(1, "put", {}, 10)])
    assert (shown(before), shown(after)) == ([["i0"]], [["i1"]])


def why(catalogue, queries, **config):
    """By id, why the rules remove an item."""
    queries = ask(**{"live": StateView(Standing(catalogue)), **queries})
    stage = build_stage("rules", config)
    limited = stage.limit(queries)
    items = stage.apply(limited, candidates(range(len(catalogue))))
    removed = {
        catalogue.ids[number]: items.removal_reasons[reason]
        for number, reason in enumerate(items.column("removed_by")[0])
        if reason >= 0
    }
    if limited.mask is not None:
        assert {catalogue.ids[n] for n in np.flatnonzero(~limited.mask[0])} == set(removed)
    return removed


def test_rules_mark_what_cannot_be_had():
    catalogue = catalogue_of(
        {"stock": "number", "lager": "category"},
        [{"stock": 0.0}, {"stock": 2.0, "lager": "nein"}, {}],
    )
    assert why(catalogue, {}) == {"i0": "unavailable"}
    assert why(catalogue, {}, availability=[]) == {}
    assert why(catalogue, {}, availability=["lager"]) == {"i1": "unavailable"}
    both = {"i0": "unavailable", "i1": "unavailable"}
    assert why(catalogue, {}, availability=["auto", "lager"]) == both
    assert why(catalogue, {}, available="stock != null") == {"i2": "unavailable"}
    assert why(catalogue, {"is_replayed": True}) == {}


def test_ids_that_no_catalogue_names_are_not_shown():
    described = catalogue_of({"stock": "number"}, [{}, {}])
    catalogue = described.with_ids(["POSTAGE"]).updated([Change(2, "touch", {}, -1)])
    assert why(catalogue, {}) == {"POSTAGE": "uncatalogued"}
    assert why(catalogue, {}, uncatalogued="show") == {}
    assert why(catalogue, {"is_replayed": True}) == {"POSTAGE": "uncatalogued"}
    deleted = catalogue.updated([Change(0, "delete", {}, 9)])
    assert why(deleted, {}) == {"i0": "deleted", "POSTAGE": "uncatalogued"}


def test_without_a_catalogue_every_id_is_shown():
    only_events = (
        Catalogue()
        .with_ids(["a", "b"])
        .updated([Change(number, "touch", {}, -1) for number in range(2)])
    )
    assert why(only_events, {}) == {}
    one_deleted = only_events.updated([Change(0, "delete", {}, 3)])
    assert why(one_deleted, {}) == {"a": "deleted"}
    catalogue_gone = one_deleted.updated([Change(0, "put", {}, 4), Change(0, "delete", {}, 5)])
    assert why(catalogue_gone, {}) == {"a": "deleted"}


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"availability": ["lagerr"]}, "rules.availability"),
        ({"availability": ["born"]}, "rules.availability"),
        ({"group_by": "lagerr"}, "group_by"),
        ({"group_by": "born"}, "group_by"),
    ],
)
def test_settings_that_do_not_fit_the_catalogue_are_refused_at_fit(config, field):
    catalogue = catalogue_of({"stock": "number", "born": "time"}, [{"stock": 1.0, "born": NOW}])
    with pytest.raises(InputError) as caught:
        build_stage("rules", config).fit(replace(dataset([[0]]), catalogue=catalogue))
    assert caught.value.field == field

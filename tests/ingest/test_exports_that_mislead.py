"""Exports that could be misread without a word: each is read right, or the receipt says so."""

import datetime as dt

import pytest

import plait
from plait.errors import MappingError
from plait.ingest import read_events
from plait.ingest.column_mapping import ColumnMapping
from plait.ingest.column_roles import assign_roles
from plait.ingest.guest_words import is_guest_word
from plait.ingest.posted_rows import parse_event_rows
from plait.ingest.translated_event_types import usual_event_type


@pytest.fixture
def shop(tmp_path):
    with plait.open(tmp_path) as opened:
        yield opened


def actions(kinds, users="anna"):
    return [
        {"user": users, "item": "mug", "time": f"2026-01-{day:02}", "action": kind}
        for day, kind in enumerate(kinds, 1)
    ]


def findings(result):
    return {note.code: note for note in (*result.notes, *result.summary.warnings)}


# -- event types


def test_a_misspelt_name_in_the_table_of_kinds_is_told_with_the_nearest(shop):
    mapping = {"events": {"kinds": {"achta": "purchase", "Vue": "view", "retour": "return"}}}
    report = shop.ingest(events=actions(["achat", "vue", "Achat"]), map=mapping)
    result = report.by_kind["events"]
    (warning,) = [note for note in report.warnings if note.code == "absent-kind"]
    assert "'achta'" in warning.message
    assert "'achat'" in warning.message
    (note,) = [note for note in result.notes if note.code == "absent-kind"]
    assert "'retour'" in note.message


def test_very_many_event_types_are_told_at_once_and_not_compared(shop):
    rows = {"user": ["u"] * 5000, "item": ["i"] * 5000, "kind": [f"k{n}" for n in range(5000)]}
    codes = [note.code for note in shop.ingest(events=rows).warnings]  # compared, it takes a minute
    assert codes.count("many-kinds") == 1
    assert "misspelt-kind" not in codes


def test_names_that_a_later_chunk_has_are_not_absent():
    lines = b"user,item,action\n" + b"u,i,vue\n" * 50_000 + b"u,i,achat\n"
    mapping = {"events": {"kinds": {"achat": "purchase", "vue": "view"}}}
    absent = [batch.absent_kinds for batch in read_events(lines, "events", mapping)]
    assert absent == [{"achat"}, set()]


def test_words_of_other_languages_for_usual_event_types_are_told(shop):
    result = shop.ingest(events=actions(["compra", "visto", "view"])).by_kind["events"]
    codes = [(note.code, note.count) for note in result.summary.warnings]
    assert codes.count(("translated-kind", 1)) == 2
    assert [usual_event_type(word) for word in ("Kauf", "Ajout panier", "purchase", "wink")] == [
        "purchase",
        "cart",
        "",
        "",
    ]


# -- guests


@pytest.mark.parametrize("word", ["Invité", "guest", "ANONYMOUS", "Gast", "ospite", "游客"])
def test_guests_under_a_word_are_told_with_their_share(word, shop):
    rows = [*actions(["view"] * 3, users=word), *actions(["view"] * 9, users="anna")]
    (warning,) = shop.ingest(events=rows).warnings
    assert (warning.code, warning.field, warning.count) == ("guest-word", "user", 3)
    assert "25%" in warning.message


def test_a_number_is_a_word_for_guests_if_it_has_many_events(shop):
    rows = [{"user": str(n % 20), "item": f"i{n % 3}"} for n in range(60)]
    assert shop.ingest(events=rows, dry_run=True).warnings == []
    rows += [{"user": "0", "item": f"i{n % 3}"} for n in range(7)]
    (warning,) = shop.ingest(events=rows, dry_run=True).warnings
    assert (warning.code, warning.count) == ("guest-word", 10)


def test_ids_of_people_are_no_words_for_guests():
    assert not any(map(is_guest_word, ["anna", "10", "007", "Gastón", "K00001"]))


def test_a_user_with_a_fifth_of_a_large_source_is_told(shop):
    rows = [
        {"user": "web" if n % 3 == 0 else f"u{n % 40}", "item": f"i{n % 7}"} for n in range(300)
    ]
    (warning,) = shop.ingest(events=rows).warnings
    assert (warning.code, warning.count) == ("user-dominates", 100)


def test_anonymous_words_become_sessions(shop):
    rows = [
        {"user": "Invité", "item": "mug", "time": "2026-01-01", "session": "s1"},
        {"user": "invité", "item": "mug", "time": "2026-01-02", "session": "s1"},
        {"user": "INVITÉ", "item": "mug", "time": "2026-01-03", "session": None},
        {"user": "0", "item": "box", "time": "2026-01-03", "session": None},
        {"user": "anna", "item": "mug", "time": "2026-01-04", "session": "s2"},
    ]
    mapping = {"events": {"anonymous": ["invité", "0"]}}
    report = shop.ingest(events=rows, map=mapping)
    assert (report.stored, report.rejected, report.warnings) == (5, 0, [])
    users = shop.host.sync().users.ids
    assert {name for name in users if not name.startswith("session:guest-")} == {
        "session:s1",
        "anna",
    }
    assert len(users) == 4
    assert shop.ingest(events=rows, map=mapping).by_kind["events"].duplicate == 5


# -- times


def days(source, mapping=None):
    (batch,) = read_events(source, "events", {"events": mapping or {}})
    times = [dt.datetime.fromtimestamp(event.time / 1e6, dt.UTC) for event in batch.events]
    return [f"{time:%m-%d %H}" for time in times], len(batch.rejects)


def test_days_of_a_spreadsheet_may_have_a_decimal_comma():
    source = b"user;item;date\nu;i;45356,5\nv;i;45357,25\nw;i;45358\n"
    assert days(source) == (["03-05 12", "03-06 06", "03-07 00"], 0)


def test_days_of_a_spreadsheet_stand_beside_dates_in_a_format():
    source = b"user;item;date\nu;i;45356,5\nv;i;05.03.2024\nw;i;45358.25\n"
    mapping = {"time_format": "%d.%m.%Y"}
    assert days(source, mapping) == (["03-05 12", "03-05 00", "03-07 06"], 0)


def test_numbers_that_fit_a_format_or_are_no_days_are_no_days_of_a_spreadsheet():
    source = b"user;item;date\nu;i;24065\nv;i;05.03.2024\n"
    assert days(source, {"time_format": ["%d.%m.%Y", "%y%j"]}) == (["03-05 00", "03-05 00"], 0)
    source = b"user;item;date\nu;i;4535\nv;i;05.03.2024\nw;i;45356\n"
    assert days(source, {"time_format": "%d.%m.%Y"}) == (["03-05 00"], 2)


@pytest.mark.parametrize("time", ["45356,5", "45356.5", 45356.5])
def test_posted_days_of_a_spreadsheet(time):
    rows = [{"user": "u", "item": "i", "kind": "view", "time": time}]
    (event,) = parse_event_rows(rows).events
    assert dt.datetime.fromtimestamp(event.time / 1e6, dt.UTC).date() == dt.date(2024, 3, 5)


# -- columns and objects


def test_a_part_may_have_the_name_of_its_object(shop):
    rows = [
        {"item": "mug", "stock": {"qte": 3, "lieu": "A"}},
        {"item": "box", "stock": {"qte": 0}, "size": {"of": {"box": "L"}}},
    ]
    mapping = {"items": {"fields": {"stock.qte": "stock"}}}
    report = shop.ingest(items=rows, map=mapping)
    assert shop.get_item("mug")["fields"] == {"stock": 3, "stock.lieu": "A"}
    assert report.sellable.n_unavailable == 1
    columns = {c.column: c.field for c in report.by_kind["items"].summary.columns}
    assert columns == {
        "item": "",
        "stock.qte": "stock",
        "stock.lieu": "stock.lieu",
        "size.of.box": "size.of.box",
    }


@pytest.mark.parametrize(
    ("item", "title"),
    [
        ("Référence article", "Libellé"),
        ("Code produit", "Désignation"),
        ("Réf. produit", "Intitulé"),
        ("Código producto", "Denominación"),
        ("ID artículo", "Nombre"),
        ("Codice articolo", "Titolo"),
        ("Codice prodotto", "Nome prodotto"),
        ("Código produto", "Designação"),
        ("Artikelcode", "Omschrijving"),
        ("Artikelnummer", "Artikelnaam"),
        ("Artikel-Nr.", "Artikelbezeichnung"),
    ],
)
def test_titles_and_ids_in_other_languages(item, title):
    roles = assign_roles("items", [item, title, "x"], ColumnMapping(), "items.csv")
    assert (roles.roles["item"], dict(roles.fields)[title]) == (item, "title")


@pytest.mark.parametrize(
    ("columns", "kind"),
    [
        (["N° client", "Réf. article", "Date de commande", "N° commande", "Qté"], "purchase"),
        (["Codice cliente", "Codice articolo", "Data ordine", "Numero ordine"], "purchase"),
        (["Código cliente", "Código produto", "Data pedido", "Nº pedido"], "purchase"),
        (["Klantnummer", "Artikelcode", "Besteldatum", "Bestelnummer", "Aantal"], "purchase"),
        (["Utente", "Prodotto", "Data ora", "Sessione"], "view"),
    ],
)
def test_roles_in_other_languages(columns, kind):
    roles = assign_roles("events", columns, ColumnMapping(), "orders.csv")
    assert [roles.roles[role] for role in ("user", "item", "time")] == columns[:3]
    assert roles.kind_default == kind


def test_an_id_is_not_mixed_up_with_the_name_of_the_product():
    columns = ["Client", "Référence produit", "Produit", "Date commande"]
    roles = assign_roles("events", columns, ColumnMapping(), "orders.csv").roles
    assert roles["item"] == "Référence produit"


@pytest.mark.parametrize("table", [{"fields": {"marque": "brand"}}, {"fill": {"item": ["marque"]}}])
def test_a_missing_column_is_refused_with_the_nearest_and_the_next_step(table, shop):
    with pytest.raises(MappingError) as caught:
        shop.ingest(items=b"item;marqe;price\na;x;1\n", map={"items": table})
    assert '"marqe"' in caught.value.hint
    assert "mapping" in caught.value.hint


# -- lines that are no rows, and amounts


def test_headers_in_the_middle_of_a_file_are_left_out_and_told(shop):
    header = "Codice articolo;Denominazione"
    text = "\r\n".join([header, "007;Caffè", header, "008;Tè", ""])
    report = shop.ingest(items=text.encode("utf-8-sig"))
    result = report.by_kind["items"]
    assert (result.stored, findings(result)["repeated-header"].count) == (2, 1)
    assert shop.host.sync().catalogue.ids == ("007", "008")
    assert shop.ingest(items=[{"item": "item", "title": "title"}]).stored == 1  # no header there


@pytest.mark.parametrize("word", ["Totale", "TOTAL", "Summe:", "Grand total"])
def test_a_line_of_totals_is_told(word, shop):
    result = shop.ingest(items=f"sku;title;price\na;A;1\n{word};;1\n".encode()).by_kind["items"]
    assert findings(result)["totals-row"].count == 1


def test_amounts_in_several_currencies_are_told(shop):
    rows = [{"item": "a", "price": "R$ 1.234,56"}, {"item": "b", "price": "US$ 99.90"}]
    assert "mixed-currencies" in findings(shop.ingest(items=rows).by_kind["items"])
    rows = [{"item": "a", "cost": "€ 1.234,56"}, {"item": "b", "cost": "99,90 EUR"}]
    assert "mixed-currencies" not in findings(shop.ingest(items=rows).by_kind["items"])


def test_the_rejected_line_of_a_latin_file_names_an_encoding(shop):
    result = shop.ingest(items="item,title\na,Küche\n".encode("cp1252")).by_kind["items"]
    (problem,) = result.problems
    assert 'encoding = "cp1252"' in problem.expected
    assert "'Küche'" in problem.expected

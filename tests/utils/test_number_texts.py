"""Numbers as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plait.utils.number_texts import parse_number_text, survey_numbers, unambiguous_number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1.299,00 €", 1299),
        ("4,50", 4.5),
        ("CHF 1'299.00", 1299),
        ("1\u2019299,5", 1299.5),
        ("1\u00a0299,00 €", 1299),
        ("1\u202f299,00", 1299),
        ("1 299,00", 1299),
        ("€ 12,-", 12),
        ("12,\u2013 €", 12),
        ("5.\u2013", 5),
        ("-5,00 €", -5),
        ("€ -5,00", -5),
        ("\u22125,00", -5),
        ("12,50-", -12.5),
        ("(4,50 €)", -4.5),
        ("$1,299.00", 1299),
        ("1,23,456.78", 123456.78),
        ("1.299.000", 1_299_000),
        ("0.299", 0.299),
        ("0,299", 0.299),
        ("kr 12,50", 12.5),
        ("1,5e3", 1500),
        (",5", 0.5),
        ("7", 7),
    ],
)
def test_a_number_with_one_meaning(text, number):
    assert unambiguous_number(text) == number
    assert parse_number_text(text, ",") == parse_number_text(text, ".") == number


@pytest.mark.parametrize(("text", "comma", "dot"), [("1.299", 1299, 1.299), ("1,299", 1.299, 1299)])
def test_a_number_with_two_meanings(text, comma, dot):
    assert unambiguous_number(text) is None
    assert parse_number_text(text, ",") == comma
    assert parse_number_text(text, ".") == dot


@pytest.mark.parametrize(
    "text",
    ["", "-", "€", "EUR", "12 34", "1.2.3", "7,8,9", "1,299,00", "RM 12", "12 %", "1-2", "4,50 kg"],
)
def test_what_is_no_number(text):
    assert unambiguous_number(text) is None
    assert parse_number_text(text, ",") is parse_number_text(text, ".") is None


layouts = st.tuples(
    st.sampled_from([",", "."]),
    st.sampled_from(["", "same", "'", "\u2019", " ", "\u00a0", "\u202f"]),
    st.sampled_from(["{}", "{} €", "€ {}", "EUR {}", "{}\u00a0CHF", "$ {}"]),
)


@given(st.integers(-(10**9), 10**9), st.integers(0, 99), layouts)
def test_a_written_amount_is_read_back(whole, cents, layout):
    decimal, thousands, pattern = layout
    thousands = {",": ".", ".": ","}[decimal] if thousands == "same" else thousands
    sign = "-" if whole < 0 else ""
    text = sign + f"{abs(whole):,}".replace(",", thousands) + decimal + f"{cents:02}"
    number = float(f"{sign}{abs(whole)}.{cents:02}")
    assert parse_number_text(pattern.format(text), decimal) == number
    assert unambiguous_number(pattern.format(text)) == number


def test_evidence_of_a_column():
    assert survey_numbers(["4,50", "1.299", "7"]).decimal == ","
    assert survey_numbers(["4.50", "1,299"]).decimal == "."
    assert survey_numbers(["1,299", "2,500"]).decimal is None
    assert survey_numbers(["4,50", "4.50"]).is_mixed
    assert not survey_numbers(["4,50", "much"]).are_numbers

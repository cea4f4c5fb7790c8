"""What one filter may cost."""

import pytest

from plait.errors import FilterError
from plait.ranking.filters.evaluation import FREE_SEARCHES, MAX_WORK
from plait.ranking.filters.filter_expression import compile_filter
from plait.testing.synthetic_data import make_dataset

N_ITEMS = 40_000
ALLOWED = MAX_WORK // N_ITEMS


@pytest.fixture(scope="module")
def catalogue():
    fields = {f"i{n}": {"title": f"item number {n}", "price": n} for n in range(N_ITEMS)}
    return make_dataset([], items=fields).catalogue


def searches(count, operator=" or "):
    return operator.join(f'title contains "{n:04}"' for n in range(count))


def test_a_filter_within_the_bound_is_evaluated(catalogue):
    assert ALLOWED > FREE_SEARCHES
    assert compile_filter(searches(ALLOWED)).mask(catalogue).any()


@pytest.mark.parametrize("operator", [" or ", " and "])
def test_more_searches_than_the_bound_are_refused(catalogue, operator):
    with pytest.raises(FilterError) as refused:
        compile_filter(searches(ALLOWED + 1, operator)).mask(catalogue)
    assert refused.value.field == "filter"


def test_equal_parts_count_once(catalogue):
    text = " or ".join(['title contains "39999"'] * 400)
    assert compile_filter(text).mask(catalogue).sum() == 1


def test_equality_membership_and_numbers_are_not_bounded(catalogue):
    equal = " or ".join(f'title == "item number {n}"' for n in range(300))
    assert compile_filter(equal).mask(catalogue).sum() == 300
    numbers = " or ".join(f"price == {n}" for n in range(700))
    assert compile_filter(numbers).mask(catalogue).sum() == 700
    inside = ", ".join(f'"item number {n}"' for n in range(500))
    assert compile_filter(f"title in [{inside}]").mask(catalogue).sum() == 500
    assert compile_filter(f"title not in [{inside}]").mask(catalogue).sum() == N_ITEMS - 500

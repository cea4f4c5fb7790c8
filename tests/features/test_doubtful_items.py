"""Tests of doubtful items: bought rises are named, honest ones are not."""

from plait.features.doubtful_items import doubtful_items
from plait.testing.synthetic_data import make_dataset, positions_only
from tests.models.test_bought_popularity import DAYS, TARGET, shop


def reasons(attack):
    return {item.item: item.reason for item in doubtful_items(make_dataset([*shop(), *attack]))}


def test_a_shop_without_attack_has_no_doubtful_item():
    assert reasons([]) == {}


def test_fifty_new_accounts_are_named_with_their_number():
    attack = [(f"fake{account}", TARGET, DAYS - account / 1000) for account in range(50)]
    (item,) = doubtful_items(make_dataset([*shop(), *attack]))
    assert (item.item, item.reason) == (TARGET, "new-users")
    assert item.new_users == 50
    assert item.to_dict()["users"] == item.users >= 50


def test_one_account_with_a_thousand_events_is_named():
    attack = [("fake", TARGET, DAYS - turn / 24_000) for turn in range(1000)]
    assert reasons(attack) == {TARGET: "few-users"}


def test_a_hit_among_customers_is_not_doubtful():
    assert reasons([(f"u{user}", TARGET, DAYS - user / 100) for user in range(200)]) == {}


def test_nothing_is_doubtful_without_times_or_without_a_time_before():
    assert doubtful_items(positions_only()) == []
    assert doubtful_items(make_dataset([(f"u{n}", "x", n / 100) for n in range(99)])) == []
    assert doubtful_items(make_dataset([])) == []

"""A guest becomes a customer: histories, seen items, fits and erasing know one person."""

import pytest

import plait
from plait.errors import ConflictError, InputError, NotFoundError
from tests.workspace.workspace_fixtures import RECIPE, fill


@pytest.fixture(params=["sqlite", "postgres"])
def shop(request, tmp_path):
    """A fitted shop with a guest, on either database."""
    database = None
    if request.param == "postgres":
        database = request.getfixturevalue("new_database")()
    settings = {} if database is None else {"database": database}
    if database is None:
        fill(tmp_path)
    with plait.open(tmp_path, **settings) as opened:
        if database is not None:
            from tests.workspace.workspace_fixtures import click_events, item_events

            opened._log.append([*item_events(), *click_events()])
        opened.fit(RECIPE)
        opened.post(
            [{"kind": "view", "session": "s1", "item": item} for item in ("lamp1", "lamp2")]
        )
        yield opened


def test_the_customer_has_what_the_guest_saw(shop):
    before = shop.recommend("user1", k=20).ids
    assert {"lamp1", "lamp2"} <= set(before)
    version = shop.merge_users("session:s1", "user1")
    assert version == shop.version
    after = shop.recommend("user1", k=20)
    assert not {"lamp1", "lamp2", "mug1"} & set(after.ids)
    assert after.ids == shop.recommend(session="s1", k=20).ids
    assert shop.why(after.request_id)["user"] == "user1"
    asked = shop.recommend(session="s1", k=2)
    assert shop.why(asked.request_id)["user"] == "user1"
    shop.post([{"kind": "view", "session": "s1", "item": "lamp3"}])
    assert "lamp3" not in shop.recommend("user1", k=20).ids
    assert shop.merge_users("session:s1", "user1") == shop.version  # again: nothing new
    shop.fit(RECIPE)
    assert not {"lamp1", "lamp2", "lamp3", "mug1"} & set(shop.recommend("user1", k=20).ids)
    shop.unmerge_users("session:s1")
    assert {"lamp1", "lamp2", "lamp3"} <= set(shop.recommend("user1", k=20).ids)
    assert "lamp1" not in shop.recommend(session="s1", k=20).ids


def test_a_batch_of_queries_knows_merged_users(shop):
    shop.merge_users("session:s1", "user1")
    users = ["user1", "session:s1", "user2", "nobody"]
    for user, response in zip(users, shop.recommend_many(users, k=20), strict=True):
        assert response.ids == shop.recommend(user, k=20).ids


def test_companions_count_a_person_once(shop):
    shop.post(
        [
            {"kind": "purchase", "session": "s1", "item": "lamp1"},
            {"kind": "purchase", "user": "user1", "item": "mug9"},
        ]
    )
    assert "companions" not in str(shop.similar("lamp1", event_types=["purchase"]).to_dict())
    shop.merge_users("session:s1", "user1")
    best = shop.similar("lamp1", event_types=["purchase"]).items[0]
    assert (best.id, best.reasons[0]["users"]) == ("mug9", 1)


def test_another_process_and_a_new_start_know_it(shop):
    shop.merge_users("session:s1", "user1")
    expected = shop.recommend("user1", k=20).ids
    with plait.open(shop.settings) as other:
        assert other.recommend("user1", k=20).ids == expected
        other.unmerge_users("session:s1")
        version = other.version
    assert {"lamp1", "lamp2"} <= set(shop.recommend("user1", k=20, at_least=version).ids)


def test_erasing_the_customer_erases_the_guest(shop):
    shop.merge_users("session:s1", "user1")
    answer = shop.recommend("user1")
    shop.chains.rows.flush()
    shop.erase_user("user1")
    for user in ("user1", "session:s1"):
        with pytest.raises(NotFoundError):
            shop.get_user(user)
    with pytest.raises(NotFoundError):
        shop.why(answer.request_id)
    assert "lamp1" in shop.recommend(session="s1", k=20).ids


def test_merges_that_contradict_are_refused(shop):
    shop.merge_users("session:s1", "user1")
    for source, into, error, field in (
        ("session:s1", "user2", ConflictError, "from"),
        ("user1", "session:s1", ConflictError, "into"),
        ("user1", "user1", InputError, "into"),
        ("", "user1", InputError, "from"),
        ("user1", "a\nb", InputError, "into"),
    ):
        with pytest.raises(error) as caught:
            shop.merge_users(source, into)
        assert caught.value.field == field
    for unmerged in ("user1", "nobody"):
        with pytest.raises(NotFoundError):
            shop.unmerge_users(unmerged)
    shop.unmerge_users("session:s1")
    shop.merge_users("user1", "session:s1")


def test_pseudonyms(tmp_path):
    fill(tmp_path)
    with plait.open(tmp_path, pseudonyms=True, pseudonym_key="k" * 32) as shop:
        shop.fit(RECIPE)
        shop.post([{"kind": "view", "session": "s1", "item": "lamp1"}])
        shop.post([{"kind": "view", "user": "zoe", "item": "lamp2"}])
        assert not {"lamp1", "lamp2"} & set(shop.recommend("zoe", session="s1", k=20).ids)
        first = shop.recommend("zoe", session="s1", k=2)
        assert not {"lamp1", "lamp2"} & set(shop.next(first.request_id, 20).ids)
        assert "lamp1" in shop.recommend("zoe", k=20).ids
        shop.merge_users("session:s1", "zoe")
        assert not {"lamp1", "lamp2"} & set(shop.recommend("zoe", k=20).ids)
        shop.erase_user("zoe")
        assert "lamp1" in shop.recommend(session="s1", k=20).ids

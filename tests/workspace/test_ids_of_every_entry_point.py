"""One id, with and without blanks around it, names one user and one item in every method."""

from uuid import UUID

import numpy as np
import pytest

import plait
from plait.errors import InputError, NotFoundError


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    with plait.open(tmp_path_factory.mktemp("home")) as workspace:
        workspace.ingest(events=[{"user": " u1\u200b", "item": "\u00a0a ", "time": 1_700_000_000}])
        yield workspace


def test_blanks_around_ids_name_the_same_user_and_item(shop):
    row = {"user": "\ufeffu1 ", "item": " a\u00ad", "kind": "view", "time": 1_700_000_001}
    assert shop.post([row])[1][0]["status"] == "stored"
    shop.put_item(" a ", {"title": "Lamp"})
    shop.patch_item("a\u200b", {"price": np.float64(3.5)})
    shop.put_user(" u1", {"city": "Tartu"})
    info = shop.info()
    assert (info["users"], info["items"]) == (1, 1)
    assert shop.get_item("\ta")["fields"] == {"title": "Lamp", "price": 3.5}
    assert shop.get_user("u1 ")["fields"] == {"city": "Tartu"}


def test_ids_of_numpy_and_uuid(shop):
    shop.put_item(np.int64(7), {"title": "Mug"})
    assert shop.get_item("7")["fields"] == {"title": "Mug"}
    shop.put_item(UUID(int=1), {"title": "Vase"})
    assert shop.get_item(str(UUID(int=1)))["fields"] == {"title": "Vase"}
    rows = [{"user": np.int64(3), "item": np.float32(7), "kind": "view", "value": np.float64(2.5)}]
    assert shop.post(rows)[1][0]["status"] == "stored"
    shop.delete_item(" 7 ")
    with pytest.raises(NotFoundError):
        shop.get_item("7")


@pytest.mark.parametrize("odd", ["", " ", "\u200b", "NaN", None, float("nan"), True])
def test_what_is_no_id_describes_nothing(shop, odd):
    with pytest.raises(InputError):
        shop.put_item(odd, {"title": "x"})


def test_a_query_reads_ids_as_events_do(shop):
    shop.ingest(events=[{"user": f"u{n}", "item": f"i{n % 3}", "time": n} for n in range(30)])
    shop.fit()
    items = [entry["id"] for entry in shop.recommend(user=" u1\u200b", k=5).to_dict()["items"]]
    assert items == [entry["id"] for entry in shop.recommend(user="u1", k=5).to_dict()["items"]]

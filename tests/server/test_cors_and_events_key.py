"""A key of a web page posts events and nothing else; browsers of allowed pages may call."""

import httpx
import pytest

from plait.errors import InputError
from plait.server.http.app import all_routes
from plait.settings import Settings, load_settings
from tests.server.fixtures import KEY, bearer, served
from tests.server.test_auth import address, name

PAGE, BROWSER = "https://shop.example", "key-of-the-page-1"
ROW = {"kind": "view", "user": "person-1", "item": "lamp-1"}


@pytest.fixture(scope="module")
def page_client(fitted, tmp_path_factory):
    import shutil

    home = shutil.copytree(fitted, tmp_path_factory.mktemp("page") / "home")
    with (
        served(home, events_keys=(BROWSER,), cors_origins=(PAGE,)) as client,
        httpx.Client(base_url=client.base_url) as page,
    ):
        yield page


def preflight(client, path="/v1/events", origin=PAGE, method="POST", headers="x-api-key"):
    return client.options(
        path,
        headers={
            "origin": origin,
            "access-control-request-method": method,
            "access-control-request-headers": headers,
        },
    )


@pytest.mark.parametrize("route", all_routes(), ids=name)
def test_an_events_key_may_post_events_and_nothing_else(page_client, route):
    answer = page_client.request(route.method, address(route), headers=bearer(BROWSER))
    allowed = route.permission == "open" or route.path == "/v1/events"
    assert (answer.status_code == 403) != allowed


def test_an_events_key_stores_events(page_client):
    headers = {**bearer(BROWSER), "origin": PAGE}
    answer = page_client.post("/v1/events", json={"events": [ROW]}, headers=headers)
    assert answer.json()["rows"][0]["status"] == "stored"
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("headers", ["x-api-key", "authorization,content-type", "Content-Type"])
def test_a_preflight_needs_no_key(page_client, headers):
    answer = preflight(page_client, headers=headers)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert "origin" in answer.headers["vary"].lower()


@pytest.mark.parametrize(
    "asked",
    [
        {"origin": "https://other.example"},
        {"origin": "null"},
        {"origin": PAGE + ".other.example"},
        {"method": "TRACE"},
        {"headers": "x-other"},
    ],
)
def test_other_preflights_are_refused_in_the_shape_of_errors(page_client, asked):
    answer = preflight(page_client, **asked)
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "forbidden"
    if "origin" in asked:
        assert "access-control-allow-origin" not in answer.headers


def test_errors_reach_an_allowed_page(page_client):
    answer = page_client.post("/v1/events", json={}, headers={"origin": PAGE})
    assert answer.status_code == 401
    assert answer.headers["access-control-allow-origin"] == PAGE
    other = page_client.post("/v1/events", json={}, headers={"origin": "https://other.example"})
    assert "access-control-allow-origin" not in other.headers


def test_without_the_setting_no_page_may_call(client):
    answer = client.post("/v1/events", json={"events": []}, headers={"origin": PAGE})
    assert "access-control-allow-origin" not in answer.headers
    with httpx.Client(base_url=client.base_url) as stranger:
        assert preflight(stranger).status_code == 401


def test_any_page_may_be_allowed(home):
    with served(home, cors_origins=("*",)) as client:
        answer = preflight(client, origin="https://anywhere.example")
    assert answer.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(
    "origin", ["shop.example", "https://shop.example/", "https://shop.example/x", "https://*.x.org"]
)
def test_what_is_no_origin_is_refused(tmp_path, origin):
    with pytest.raises(InputError) as error:
        load_settings(tmp_path, cors_origins=origin)
    assert error.value.field == "cors_origins"


def test_origins_come_as_a_list_or_separated_by_commas(tmp_path):
    pages = ("http://localhost:3000", PAGE)
    assert load_settings(tmp_path, cors_origins=",".join(pages)).cors_origins == pages
    assert Settings(key=KEY, cors_origins=list(pages)).cors_origins == pages

"""Token buckets of keys and users: shared by processes, refusals with a time, costs by kind."""

import re
import shutil
import subprocess
import sys

import pytest

from plait.errors import InputError
from plait.server.http.rate_limits import RateLimits
from plait.server.http.token_buckets import TokenBuckets
from plait.settings import Settings, load_settings
from tests.server.fixtures import bearer, served

HOUR = 3600
SLOW = {"rate_limit_key": 0.01, "rate_limit_user": 0.002, "rate_limit_window_s": 1000}
"""Buckets of ten and of two tokens that fill too slowly to matter in a test."""

KINDS = ("read", "ingest", "events")

TAKE = """
import sys
from pathlib import Path
from plait.server.http.token_buckets import TokenBuckets
buckets = TokenBuckets(0.01, 10_000, 3, Path(sys.argv[1]))
print(sum(buckets.take(1, 1) == 0 for _ in range(80)))
"""


@pytest.fixture(scope="module")
def slow(fitted, tmp_path_factory):
    """The owner's client of a server whose keys have ten tokens and whose users have two."""
    home = shutil.copytree(fitted, tmp_path_factory.mktemp("slow") / "home")
    numbers = range(len(TESTS))
    keys = {f"{kind}_keys": tuple(f"{kind}-{n}-of-this-test" for n in numbers) for kind in KINDS}
    with served(home, **keys, **SLOW) as client:
        yield client


@pytest.fixture
def asker(slow, request):
    """Posts by a key of the test's own, which may read unless the test says otherwise."""
    number = TESTS.index(request.function.__name__)

    def post(path, times=1, kind="read", **named):
        headers = bearer(f"{kind}-{number}-of-this-test")
        return [slow.post(path, headers=headers, **named) for _ in range(times)]

    return post


def statuses(answers):
    return [answer.status_code for answer in answers]


def refusals(slow, by):
    match = re.search(rf'plait_rate_limited_total{{by="{by}"}} (\d+)', slow.get("/metrics").text)
    return int(match[1]) if match else 0


def test_a_bucket_gives_what_it_holds_and_then_says_how_long_to_wait():
    buckets = TokenBuckets(rate=1 / HOUR, window_s=3 * HOUR, count=2)
    assert [buckets.take(0, 1) for _ in range(3)] == [0, 0, 0]
    assert HOUR - 60 < buckets.take(0, 1) <= HOUR
    assert buckets.take(1, 1) == 0  # another bucket


def test_credit_is_paid_back_before_a_bucket_gives_again():
    buckets = TokenBuckets(rate=1 / HOUR, window_s=2 * HOUR, count=1)
    assert buckets.take(0, 10, on_credit=True) == 0
    assert 9 * HOUR - 60 < buckets.take(0, 1) <= 9 * HOUR


def test_a_full_bucket_gives_more_than_it_holds_once():
    buckets = TokenBuckets(rate=1 / HOUR, window_s=2 * HOUR, count=1)
    assert buckets.take(0, 10) == 0
    assert 9 * HOUR - 60 < buckets.take(0, 1) <= 9 * HOUR


def test_buckets_without_a_rate_give_always():
    buckets = TokenBuckets(rate=0, window_s=1, count=1)
    assert not any(buckets.take(0, 1e9) for _ in range(100))


def test_names_have_buckets_of_their_own():
    buckets = TokenBuckets(rate=1 / HOUR, window_s=HOUR, count=2**18)
    assert [buckets.take_for(name, 1) for name in ("ann", "bob", "\ud800")] == [0, 0, 0]
    assert all(buckets.take_for(name, 1) for name in ("ann", "bob", "\ud800"))


def test_processes_share_the_buckets_of_a_file(tmp_path):
    command = [sys.executable, "-c", TAKE, str(tmp_path / "buckets")]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    granted = [int(run.communicate()[0]) for run in runs]
    assert 100 <= sum(granted) <= 102  # a lost update lets one too many pass


def test_costs_of_the_settings_replace_the_defaults(tmp_path):
    settings = Settings(home=tmp_path, rate_costs=("search = 2.5", "other=.5"))
    limits = RateLimits(settings, 1, lambda _by: None)
    assert (limits.costs["/v1/search"], limits.costs["/v1/recommend"]) == (2.5, 1.0)
    assert limits.other == 0.5
    assert limits.costs["/metrics"] == 0


@pytest.mark.parametrize("entry", ["search", "search=", "search=-1", "buy=1", "search=1e9x"])
def test_a_cost_that_is_none_names_the_setting(tmp_path, entry):
    with pytest.raises(InputError) as refusal:
        load_settings(tmp_path, rate_costs=(entry,))
    assert refusal.value.field == "rate_costs"


def test_a_key_without_tokens_is_answered_429_with_the_seconds_to_wait(asker):
    answers = asker("/v1/recommend", 12, json={"k": 1})
    assert statuses(answers) == [200] * 10 + [429] * 2
    assert 0 < int(answers[-1].headers["retry-after"]) <= 100
    error = answers[-1].json()["error"]
    assert (error["code"], error["field"]) == ("rate_limited", "authorization")


def test_a_refused_body_is_not_read(asker):
    asker("/v1/recommend", 10, json={"k": 1})
    assert statuses(asker("/v1/recommend", content=b"no JSON at all")) == [429]


def test_a_refusal_concerns_its_key_and_neither_open_paths_nor_metrics(slow, asker):
    before = refusals(slow, "key")
    asker("/v1/recommend", 12, json={"k": 1})
    refused = statuses([asker("/v1/search", json={"text": "lamp"})[0]])
    assert refused == [429]
    assert slow.get("/health").status_code == 200
    assert slow.get("/v1/info").status_code == 200  # another key
    assert refusals(slow, "key") == before + 3


def test_a_user_without_tokens_is_refused_and_others_are_not(slow, asker):
    before = refusals(slow, "user")
    body = {"user": "person-1", "k": 1}
    assert statuses(asker("/v1/recommend", 3, json=body)) == [200, 200, 429]
    refused = asker("/v1/search", json={"text": "lamp", "user": "person-1"})[0]
    assert (refused.status_code, refused.json()["error"]["field"]) == (429, "user")
    other = {"text": "lamp", "user": "person-2"}
    assert statuses(asker("/v1/search", json=other)) == [200]
    assert refusals(slow, "user") == before + 2


def test_the_users_of_a_batch_are_paid_for_one_by_one(asker):
    users = [f"reader-{number}" for number in range(15)]
    assert statuses(asker("/v1/recommend/batch", 2, json={"users": users})) == [200, 429]


def test_rows_are_paid_for_by_their_number(asker):
    rows = [{"kind": "view", "user": f"u{n}", "item": "lamp-1"} for n in range(1000)]
    answers = asker("/v1/events", 2, kind="ingest", json={"events": rows})
    assert statuses(answers) == [200, 429]  # ten tokens: a base of 0.2, and 9.99 for other rows


def test_a_user_posts_no_more_than_its_tokens_by_a_key_of_web_pages_alone(asker):
    rows = [{"kind": "view", "user": "ann", "item": "lamp-1"}] * 5
    by_pages = asker("/v1/events", 3, kind="events", json={"events": rows})
    assert statuses(by_pages) == [200, 200, 429]
    by_backend = asker("/v1/events", kind="ingest", json={"events": rows * 20})
    assert statuses(by_backend) == [200]


TESTS = [name for name in globals() if name.startswith("test_")]

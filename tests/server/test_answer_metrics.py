"""Metrics of answers: age, catalogue, empty and filled answers, and what they led to."""

import time
from types import SimpleNamespace

from prometheus_client import CollectorRegistry, generate_latest

from plait.server.http.answer_metrics import MAX_PLACEMENTS, AnswerMetrics
from tests.polling import until
from tests.server.fixtures import served
from tests.server.server_process import Server
from tests.server.test_prometheus import values

HOME_PAGE = {"context": {"placement": "home"}, "k": 3}


def answered(metrics, route, placement, outcome):
    labels = f'outcome="{outcome}",placement="{placement}",route="{route}"'
    return metrics.get(f"plait_answers_total{{{labels}}}", 0)


def clicked_at_home(exposition):
    return values(exposition).get('plait_answers_clicked_total{placement="home"}', 0)


def test_age_size_and_outcomes_are_told(home):
    with served(home) as client:
        client.post("/v1/recommend", json=HOME_PAGE)
        client.post("/v1/search", json={"text": "nothing-has-such-a-word"})
        shown = client.post("/v1/recommend", json={**HOME_PAGE, "k": 2}).json()
        client.post("/v1/next", json={"request_id": shown["request_id"], "k": 2})
        metrics = values(client.get("/metrics").text)
    assert 0 < metrics["plait_bundle_age_seconds"] < 3600
    assert metrics["plait_catalogue_items"] == 16
    assert metrics["plait_degraded_workers"] == 0
    assert answered(metrics, "recommend", "home", "full") == 2
    assert answered(metrics, "next", "home", "full") == 1
    assert answered(metrics, "search", "", "empty") == 1
    assert metrics['plait_answer_items_total{route="recommend",source="model"}'] == 5


def test_an_answer_that_led_to_an_event_counts_once(home):
    with served(home) as client:
        shown = client.post("/v1/recommend", json=HOME_PAGE).json()
        row = {"kind": "view", "user": "person-1", "item": shown["items"][0]["id"]}
        rows = [
            {**row, "id": "first", "request_id": shown["request_id"]},
            {**row, "request_id": shown["request_id"]},
            {**row, "request_id": "of-nobody"},
            row,
            {"kind": "view"},
        ]
        client.post("/v1/events", json={"events": rows})
        client.post("/v1/events", json={"events": rows[:1]})
        metrics = values(client.get("/metrics").text)
        assert shown["request_id"] not in client.get("/metrics").text
    clicked = {name: count for name, count in metrics.items() if "clicked_total" in name}
    assert clicked == {'plait_answers_clicked_total{placement="home"}': 1}


def test_a_click_counts_at_whatever_worker_it_comes(home):
    with Server(home, workers=2).ready() as server:
        for _ in range(8):
            shown = server.ask(body=HOME_PAGE).json()
            row = {"kind": "view", "user": "u", "item": "lamp-1", "request_id": shown["request_id"]}
            server.ask("/v1/events", {"events": [row]})
        with server.client() as client:
            until(lambda: clicked_at_home(client.get("/metrics").text) == 8)
        assert server.stop() == 0


def test_a_request_stored_after_its_click_counts_once():
    registry = CollectorRegistry()
    metrics = AnswerMetrics(registry, resolve_after=0.2)
    stored = {}
    metrics.clicked(["late", "of-nobody"], stored.get)
    stored["late"] = {"placement": "home"}
    metrics.resolve(stored.get)
    assert clicked_at_home(generate_latest(registry).decode()) == 0  # too soon to look again
    time.sleep(0.25)
    for _ in range(2):
        metrics.resolve(stored.get)
        metrics.clicked(["late"], stored.get)
    assert clicked_at_home(generate_latest(registry).decode()) == 1


def test_placements_are_few_and_filled_answers_have_their_own_outcome():
    registry = CollectorRegistry()
    metrics = AnswerMetrics(registry)
    for number in range(MAX_PLACEMENTS + 50):
        response = SimpleNamespace(items=[1, 2], filled=1, request_id=str(number))
        metrics.answered("recommend", response, 2, {"placement": f"place-{number}"})
    for odd in (None, 7, "", ["x"], {"a": 1}):
        metrics.answered("recommend", response, 2, {"placement": odd})
    exposed = values(generate_latest(registry).decode())
    assert answered(exposed, "recommend", "other", "filled") == 50
    assert answered(exposed, "recommend", "", "filled") == 5
    assert exposed['plait_answer_items_total{route="recommend",source="fill"}'] == 155

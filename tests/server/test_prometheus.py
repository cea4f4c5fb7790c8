"""What Prometheus scrapes."""

import re

from tests.server.fixtures import served


def values(text):
    pairs = re.findall(r"^(\w+(?:\{[^}]*\})?) (\S+)$", text, re.MULTILINE)
    return {name: float(value) for name, value in pairs}


def test_requests_rows_and_versions_are_counted(home):
    with served(home) as client:
        client.post("/v1/recommend", json={"user": "person-1"})
        client.post("/v1/recommend", json={"user": "person-2"})
        client.post("/v1/recommend", json={"usr": "person-2"})
        client.get("/nothing")
        row = {"id": "e1", "kind": "view", "user": "person-1", "item": "lamp-1"}
        posted = client.post("/v1/events", json={"events": [row, row, {"kind": ""}]}).json()
        client.post("/v1/recommend", json={"at_least": posted["version"]})
        answer = client.get("/metrics")
        bundle = client.post("/v1/recommend", json={}).json()["bundle"]
    assert answer.headers["content-type"].startswith("text/plain")
    metrics = values(answer.text)
    labels = 'method="POST",route="/v1/recommend"'
    assert metrics[f'plait_requests_total{{{labels},status="200"}}'] == 3
    assert metrics[f'plait_requests_total{{{labels},status="400"}}'] == 1
    assert metrics['plait_requests_total{method="GET",route="unmatched",status="404"}'] == 1
    assert metrics['plait_request_seconds_count{route="/v1/recommend"}'] == 4
    assert metrics['plait_events_total{status="stored"}'] == 1
    assert metrics['plait_events_total{status="duplicate"}'] == 1
    assert metrics['plait_events_total{status="rejected"}'] == 1
    assert metrics["plait_version_head"] == posted["version"]
    assert metrics["plait_version_folded"] == posted["version"]
    assert metrics["plait_version_lag"] == 0
    assert metrics["plait_ready_workers"] == 1
    assert metrics[f'plait_bundle_workers{{bundle="{bundle}"}}'] == 1
    stages = [name for name in metrics if name.startswith("plait_stage_seconds_count")]
    assert any("retrieve" in name for name in stages)
    assert "person-" not in answer.text
    assert "lamp-" not in answer.text

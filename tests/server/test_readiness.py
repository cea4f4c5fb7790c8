"""A worker is ready once it has answered a question of every kind, and says why it is not."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import plait.workspace
from plait.pipeline.recipe import Recipe
from plait.workspace.warmup_queries import warmup_queries
from tests.server.fixtures import KEY, served
from tests.server.server_process import Server

SCRIPT = """
import sys
import time
from plait.server.server import serve
from plait.settings import load_settings

def ready(url):
    jieba = sys.modules.get("jieba")
    print("dictionary:", jieba is not None and jieba.dt.initialized, flush=True)

sys.exit(serve(load_settings(sys.argv[1], port=0), on_ready=ready))
"""


def test_the_chinese_dictionary_is_there_before_the_first_asker(home):
    environment = {**os.environ, "PLAIT_KEY": KEY, "PYTHONPATH": str(Path("src").absolute())}
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(home)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    ) as process:
        output = next(line for line in process.stdout if line.startswith("dictionary:"))
        process.terminate()
        assert process.wait(60) == 0
    assert output.strip() == "dictionary: True"


def test_every_road_is_gone_and_nothing_is_remembered(home):
    with plait.workspace.open(home) as shop:
        shop.start()
        asked = warmup_queries(shop.host.state())
        assert any(query.user for query in asked)
        assert any(query.text and query.text.isascii() for query in asked)
        assert any(query.text and not query.text.isascii() for query in asked)
        assert any(query.items for query in asked)
        assert any(query.candidates for query in asked)
        assert any(query.history for query in asked)
        shop.warm_up()
        assert shop.vitals()["impressions_written"] == 0


def test_a_catalogue_without_items_can_be_warmed(tmp_path):
    steps = {"fuse": {}, "policy": {}}
    recipe = Recipe.of({"name": "p", "models": {"popular": {}}, "steps": steps})
    with plait.workspace.open(tmp_path) as shop:
        shop.post([{"kind": "view", "user": "u", "item": "i"}])
        shop.fit(recipe)
        shop.delete_item("i")
        shop.warm_up()


def test_ready_names_the_trouble_and_not_its_words(home):
    current = (home / "bundles" / "current").read_text().strip()
    manifest = home / "bundles" / current / "manifest.json"
    manifest.write_text(json.dumps({"secret": "secret words"}))
    with served(home) as client:
        answer = client.get("/ready")
        while "being read" in answer.text:
            answer = client.get("/ready")
        problems = client.get("/v1/info").json()["problems"]
    assert answer.status_code == 503
    message = answer.json()["error"]["message"]
    assert message == "the current bundle does not load"
    assert any(problem.startswith(f"{message}: ") for problem in problems)


@pytest.mark.parametrize("path", ["/ready", "/v1/recommend"])
def test_answers_are_not_kept_by_caches(client, path):
    answer = client.get(path) if path == "/ready" else client.post(path, json={})
    assert answer.headers["cache-control"] == "no-store"


@pytest.fixture
def postgres_home(tmp_path):
    """A fitted home whose log lies in a PostgreSQL server of its own, and that server."""
    import tempfile
    import warnings

    from tests.server.fixtures import make_home

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pgserver

    with tempfile.TemporaryDirectory(prefix="plait-pg-") as folder:
        server = pgserver.get_server(Path(folder) / "data", cleanup_mode="stop")
        socket = server.get_postmaster_info().socket_dir
        url = f"postgresql+psycopg://postgres@/postgres?host={socket}"
        try:
            make_home(tmp_path / "home", database=url)
            yield tmp_path / "home", url, server
        finally:
            server.cleanup()


def test_ready_while_questions_are_answered_from_a_stale_state(postgres_home):
    home, url, database = postgres_home
    with Server(home, database=url).ready() as server, server.client() as client:
        assert client.get("/ready").json() == {"status": "ready"}
        database.cleanup()
        deadline = time.monotonic() + 30
        while "degraded" not in client.get("/ready").json() and time.monotonic() < deadline:
            time.sleep(0.1)
        answer = client.get("/ready")
        assert (answer.status_code, answer.json()["degraded"]) == (200, ["stale"])
        shown = client.post("/v1/recommend", json={"k": 3})
        assert (shown.status_code, shown.json()["degraded"]) == (200, ["stale"])
        assert len(shown.json()["items"]) == 3
        row = {"kind": "view", "user": "u", "item": "lamp-1"}
        assert client.post("/v1/events", json={"events": [row]}).status_code == 507
        assert "plait_degraded_workers 1.0" in client.get("/metrics").text

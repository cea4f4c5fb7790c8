"""A new bundle and a failed fit are announced; no receiver delays or fails a fit."""

import hmac
import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

import plait
from plait.errors import InputError, RecipeError
from plait.settings import load_settings
from tests.workspace.workspace_fixtures import RECIPE, fill

SECRET = "the secret of the receiver"


class Receiver:
    """A web server that records what is posted to it and answers with statuses in turn."""

    def __init__(self, statuses=(204,), delay=0.0):
        self.requests = []
        statuses = list(statuses)
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.requests.append((self.path, dict(self.headers), body))
                time.sleep(delay)
                status = statuses.pop(0) if len(statuses) > 1 else statuses[0]
                self.send_response(status)
                if status == 302:
                    self.send_header("location", "/elsewhere")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    @property
    def messages(self):
        return [json.loads(body) for _, _, body in self.requests]


def test_a_new_bundle_is_announced_with_a_signature(tmp_path):
    fill(tmp_path)
    with Receiver() as receiver:
        with plait.open(tmp_path, webhook_urls=(receiver.url,), webhook_secret=SECRET) as shop:
            bundle = shop.fit(RECIPE)
        ((path, headers, body),) = receiver.requests
    message = json.loads(body)
    assert path == "/hook"
    assert message["event"] == "bundle.new"
    assert (message["bundle"], message["recipe"]) == (bundle, "toy")
    assert (message["items"], message["users"], message["events"]) == (20, 40, 160)
    headers = {name.lower(): value for name, value in headers.items()}
    expected = hmac.new(SECRET.encode(), body, "sha256").hexdigest()
    assert headers["x-plait-signature"] == f"sha256={expected}"
    assert headers["content-type"] == "application/json"


def test_a_failed_fit_is_announced_and_raises_as_before(tmp_path):
    fill(tmp_path)
    with Receiver() as receiver, plait.open(tmp_path, webhook_urls=receiver.url) as shop:
        with pytest.raises(RecipeError):
            shop.fit("no-such-recipe")
        shop.close()
        (message,) = receiver.messages
        assert "x-plait-signature" not in {name.lower() for name in receiver.requests[0][1]}
    assert message["event"] == "fit.failed"
    assert message["error"] == "bad_recipe"
    assert "no-such-recipe" in message["message"]


def test_a_refusal_is_tried_again_and_every_url_gets_its_own(tmp_path):
    fill(tmp_path)
    with Receiver([500, 302, 200]) as first, Receiver() as second:
        with plait.open(tmp_path, webhook_urls=f"{first.url},{second.url}") as shop:
            shop.fit(RECIPE)
        assert [len(first.requests), len(second.requests)] == [3, 1]
        assert len({message["id"] for message in first.messages}) == 1  # the same announcement
        assert {path for path, _, _ in first.requests} == {"/hook"}  # no redirect is followed


def test_no_receiver_delays_or_fails_a_fit(tmp_path, caplog):
    fill(tmp_path)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # nobody listens
        dead = f"http://127.0.0.1:{unused.getsockname()[1]}/secret-path"
        with Receiver(delay=3.0) as slow:
            settings = {"webhook_timeout_ms": 500, "webhook_retries": 0}
            shop = plait.open(tmp_path, webhook_urls=(dead, slow.url), **settings)
            bundle = shop.fit(RECIPE)
            threads = [thread.is_alive() for thread in shop._webhooks._threads]
            assert threads[1]  # the fit is done, the slow receiver is not
            start = time.monotonic()
            shop.close()
            assert time.monotonic() - start < 3
    assert bundle in (tmp_path / "bundles" / "current").read_text()
    records = [record.getMessage() for record in caplog.records if "webhook" in record.getMessage()]
    assert len(records) == 2
    assert not any("secret-path" in record for record in records)


@pytest.mark.parametrize("url", ["ftp://x/y", "file:///etc/passwd", "shop.example", "http://"])
def test_what_is_no_web_address_is_refused(tmp_path, url):
    with pytest.raises(InputError) as error:
        load_settings(tmp_path, webhook_urls=url)
    assert error.value.field == "webhook_urls"

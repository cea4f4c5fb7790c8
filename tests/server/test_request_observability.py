"""The last safety net, and the bound on what may wait."""

import asyncio
import logging
import time

import httpx
import pytest

import plait.workspace
from plait.errors import NotReadyError
from plait.server.http.prometheus import PrometheusMetrics
from plait.server.http.rate_limits import RateLimits
from plait.server.http.request_observability import AccessLogMiddleware
from plait.server.http.workspace_service import Service


async def broken(scope, receive, send):
    try:
        raise KeyError("secret-person")
    except KeyError as problem:
        raise RuntimeError("secret words") from problem


async def broken_late(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    raise RuntimeError("secret words")


def asked(app):
    async def ask():
        transport = httpx.ASGITransport(
            AccessLogMiddleware(app, PrometheusMetrics()), raise_app_exceptions=True
        )
        async with httpx.AsyncClient(transport=transport, base_url="http://plait") as client:
            return await client.get("/v1/items/secret-item")

    return asyncio.run(ask())


@pytest.fixture
def log(caplog):
    logger = logging.getLogger("plait")
    before = logger.propagate
    logger.propagate = True
    caplog.set_level(logging.INFO, logger="plait")
    yield caplog
    logger.propagate = before


def test_a_fault_of_ours_is_told_without_its_words(log):
    answer = asked(broken)
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "internal"
    request_id = answer.headers["x-request-id"]
    assert request_id in answer.json()["error"]["hint"]
    assert request_id in log.text
    assert "KeyError" in log.text
    assert "RuntimeError" in log.text
    assert "test_request_observability.py" in log.text
    assert "secret-" not in log.text.replace('KeyError("secret-person")', "")  # a line of this file
    assert "secret" not in answer.text


def test_a_fault_after_the_answer_began_is_logged(log):
    with pytest.raises(AssertionError):  # what the client sees: an answer that never ends
        asked(broken_late)
    assert "RuntimeError in request" in log.text


def test_only_so_many_requests_may_be_under_way(tmp_path):
    shop = plait.workspace.open(tmp_path)
    metrics = PrometheusMetrics()
    limits = RateLimits(shop.settings, 1, metrics.rate_limited)
    service = Service(shop.settings, shop, metrics, limits, most=1)

    async def two():
        first = asyncio.create_task(service.wait(lambda: time.sleep(0.2)))
        await asyncio.sleep(0)
        with pytest.raises(NotReadyError, match="too many requests"):
            await service.wait(lambda: None)
        await first
        return await service.wait(lambda: "room again")

    try:
        assert asyncio.run(two()) == "room again"
    finally:
        service.close()

"""The application: the routes table, the middleware around it, and the shop beneath it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

from fastapi import Depends, FastAPI

from plait.errors import PlaitError
from plait.server.api_keys import KeyRing
from plait.server.http import openapi
from plait.server.http.access_log import AccessLogMiddleware
from plait.server.http.auth import AuthMiddleware, requires
from plait.server.http.body_limit import BodyLimitMiddleware
from plait.server.http.errors import answer_errors
from plait.server.http.prometheus import PrometheusMetrics
from plait.server.http.route import Route
from plait.server.http.routes import (
    events,
    health,
    info,
    items,
    next_items,
    rank,
    recommend,
    requests,
    search,
    similar,
    users,
)
from plait.server.http.service import Service
from plait.settings import Settings

if TYPE_CHECKING:
    from plait.workspace import Workspace

__all__ = ["all_routes", "create_app", "routes_table"]

_log = logging.getLogger("plait.server")

_GROUPS = (
    events,
    items,
    users,
    recommend,
    search,
    similar,
    rank,
    next_items,
    requests,
    info,
    health,
    openapi,
)
_ABOUT = (
    "One recommender and search engine over an event log and a catalogue. A key comes as "
    "'Authorization: Bearer KEY' or 'X-API-Key: KEY'. Every error has one shape: "
    '{"error": {"code", "message", "hint", "field"}}.'
)


def all_routes() -> tuple[Route, ...]:
    """Every route there is, in the order of the documentation."""
    return tuple(route for group in _GROUPS for route in group.ROUTES)


def routes_table() -> tuple[tuple[str, str], ...]:
    """The method and path of every route: `("PUT", "/v1/items/{id}")`."""
    return tuple((one.method, one.path.replace(":text", "")) for one in all_routes())


def create_app(settings: Settings, shop: Workspace) -> FastAPI:
    """The application over an open `shop`, which it closes when it ends.

    Raises StorageError if the home's key cannot be read or made.
    """
    meters = PrometheusMetrics()
    keys = KeyRing.of(settings)
    app = FastAPI(
        title="Plait",
        version=version("plait"),
        description=_ABOUT,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        lifespan=_lifespan,
    )
    app.state.service = Service(settings, shop, meters)
    for route in all_routes():
        _add(app, route)
    openapi.describe(app, all_routes())
    answer_errors(app)
    # The last one added is the first one met.
    patience = settings.client_timeout_ms / 1000
    app.add_middleware(BodyLimitMiddleware, limit=settings.body_limit, patience=patience)
    app.add_middleware(AuthMiddleware, keys=keys)
    app.add_middleware(AccessLogMiddleware, meters=meters)
    return app


def _add(app: FastAPI, route: Route) -> None:
    app.add_api_route(
        route.path,
        route.endpoint,
        methods=[route.method],
        summary=route.summary,
        dependencies=[Depends(requires(route.permission))],
        openapi_extra=openapi.operation(route),
        operation_id=route.endpoint.__name__,
        response_model=None,
    )


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    service: Service = app.state.service
    beside = [asyncio.create_task(one()) for one in (service.watch, service.warm_up)]
    try:
        yield
    finally:
        for one in beside:
            one.cancel()
        try:
            await asyncio.to_thread(service.close)
        except PlaitError as problem:  # a full disk, say: what was acknowledged is stored already
            _log.error("not all of what was shown could be stored: %s", problem)

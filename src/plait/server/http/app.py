"""Builds the application: the routes table, the middleware, and the workspace."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

from fastapi import Depends, FastAPI, Response

from plait.errors import PlaitError
from plait.server.api_keys import KeyRing
from plait.server.http import openapi
from plait.server.http.auth import AuthMiddleware, requires
from plait.server.http.cors import CorsMiddleware
from plait.server.http.errors import answer_errors
from plait.server.http.prometheus import PrometheusMetrics
from plait.server.http.rate_limits import RateLimits
from plait.server.http.request_limits import BodyLimitMiddleware
from plait.server.http.request_observability import AccessLogMiddleware
from plait.server.http.route import Route
from plait.server.http.routes import (
    bulk_items,
    completion,
    entities,
    events,
    health,
    listing,
    merges,
    monitoring,
    queries,
)
from plait.server.http.workspace_service import Service
from plait.settings import Settings

if TYPE_CHECKING:
    from plait.workspace import Workspace

__all__ = ["all_routes", "create_app", "routes_table"]

_log = logging.getLogger(__name__)

_GROUPS = (
    events,
    bulk_items,
    merges,
    entities,
    queries,
    completion,
    listing,
    monitoring,
    health,
    openapi,
)
_ABOUT = (
    "One recommender and search engine over an event log and a catalogue. A key comes as "
    "'Authorization: Bearer KEY' or 'X-API-Key: KEY'. Every error has one shape: "
    '{"error": {"code", "message", "hint", "field"}}.'
)


def all_routes() -> tuple[Route, ...]:
    """Return every route, in the order of the documentation."""
    return tuple(route for group in _GROUPS for route in group.ROUTES)


def routes_table() -> tuple[tuple[str, str], ...]:
    """Return the method and path of every route: `("PUT", "/v1/items/{id}")`."""
    return tuple((route.method, route.path.replace(":text", "")) for route in all_routes())


def create_app(settings: Settings, workspace: Workspace) -> FastAPI:
    """Make the application.

    Args:
        settings: The settings of the home.
        workspace: The open home, which is closed when the application ends.

    Returns:
        The application with its routes and middleware.

    Raises:
        StorageError: If the home's key cannot be read or made.
    """
    metrics = PrometheusMetrics()
    keys = KeyRing.of(settings)
    limits = RateLimits(settings, len(keys), metrics.rate_limited)
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
    app.state.service = Service(settings, workspace, metrics, limits)
    _add_routes(app)
    openapi.describe(app, all_routes(), settings.batch_limit)
    answer_errors(app)
    # The last one added is the first one met.
    timeout_s = settings.client_timeout_ms / 1000
    app.add_middleware(
        BodyLimitMiddleware,
        limit=settings.body_limit,
        timeout_s=timeout_s,
        query_limit=settings.query_body_limit,
        query_paths=[route.path for route in all_routes() if route.body and not route.lines],
    )
    app.add_middleware(AuthMiddleware, keys=keys, limits=limits)
    if settings.cors_origins:
        app.add_middleware(CorsMiddleware, origins=settings.cors_origins)
    app.add_middleware(AccessLogMiddleware, metrics=metrics)
    return app


def _add_routes(app: FastAPI) -> None:
    """Add every route, each behind the check of its scope; HEAD wherever GET is."""
    for route in all_routes():
        app.add_api_route(
            route.path,
            route.endpoint,
            methods=[route.method],
            summary=route.summary,
            dependencies=[Depends(requires(route.permission, *route.also))],
            openapi_extra=openapi.operation(route),
            responses=openapi.responses(route),
            operation_id=route.operation_id or route.endpoint.__name__,
            response_model=None,
            response_class=Response,
        )
        if route.method == "GET":  # RFC 9110, 9.1
            app.add_api_route(
                route.path,
                route.endpoint,
                methods=["HEAD"],
                dependencies=[Depends(requires(route.permission, *route.also))],
                include_in_schema=False,
                response_model=None,
                response_class=Response,
            )


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    service: Service = app.state.service
    tasks = [asyncio.create_task(run()) for run in (service.health.watch, service.health.warm_up)]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        try:
            await asyncio.to_thread(service.close)
        except PlaitError as problem:  # a full disk, say: what was acknowledged is stored already
            _log.error("not all of what was shown could be stored: %s", problem)

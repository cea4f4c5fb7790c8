"""`plait serve`."""

from __future__ import annotations

from typing import Annotated

import typer

from plait.cli.options import Home

__all__ = ["serve"]


def serve(
    home: Home,
    host: Annotated[str | None, typer.Option(help="Where to listen; default 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(help="The port; 0 takes a free one.")] = None,
    workers: Annotated[int | None, typer.Option(help="How many processes.")] = None,
) -> None:
    """Serve the HTTP API until interrupted.

    Args:
        home: The folder of the log, the bundles and the key.
        host: The address to listen on; None: the setting `host`.
        port: The port to listen on, 0 for a free one; None: the setting `port`.
        workers: The number of processes; None: the setting `workers`.

    Raises:
        typer.Exit: With the exit status of the server.
    """
    from plait.server.server import serve as run
    from plait.settings import load_settings

    raise typer.Exit(run(load_settings(home, host=host, port=port, workers=workers)))

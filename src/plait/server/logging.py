"""The server's log: plain lines on stderr without ids, texts or keys."""

from __future__ import annotations

import logging.config

__all__ = ["configure"]


def configure(level: str) -> None:
    """Set up the loggers of Plait and of uvicorn.

    uvicorn's access log stays silent: it names whole paths, which contain ids.

    Args:
        level: "debug", "info", "warning" or "error".
    """
    plait_logger = {"handlers": ["stderr"], "level": level.upper(), "propagate": False}
    silent = {"handlers": [], "level": "CRITICAL", "propagate": False}
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
            "loggers": {"plait": plait_logger, "uvicorn": plait_logger, "uvicorn.access": silent},
        }
    )

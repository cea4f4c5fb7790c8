"""The server's log: plain lines on stderr without ids, texts or keys."""

from __future__ import annotations

import logging.config

from plait.utils.printable_text import printable

__all__ = ["configure"]

_FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"


class _LineFormatter(logging.Formatter):
    """Makes control characters visible: a terminal that shows the log must not obey them."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


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
            "formatters": {"line": {"()": _LineFormatter, "format": _FORMAT}},
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
            "loggers": {"plait": plait_logger, "uvicorn": plait_logger, "uvicorn.access": silent},
        }
    )

"""Everything an operator may set: `HOME/plait.toml` and the environment, which wins.

The schema is closed: an unknown key is refused. This is the only module that reads the environment.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from plait.errors import InputError

__all__ = [
    "Settings",
    "child_environment",
    "load_settings",
    "local_process_count",
    "metrics_folder",
    "process_rank_and_size",
]

PREFIX = "PLAIT_"
LEAST = {
    "workers": 1,
    "body_limit": 1,
    "batch_limit": 1,
    "client_timeout_ms": 1,
    "poll_ms": 1,
    "stale_wait_ms": 0,
    "impressions_days": 0,
}
LEVELS = ("debug", "info", "warning", "error")
METRICS = "PROMETHEUS_MULTIPROC_DIR"
"""Not ours to name: prometheus_client looks for it when it is imported."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one home. Each can be set in `plait.toml` or as PLAIT_<NAME>."""

    home: Path = field(default=Path("home"))
    """Where the log, the bundles, the key and the rejects lie."""
    database: str = ""
    """SQLAlchemy URL of the log, `postgresql+psycopg://...`; empty: SQLite in the home."""
    host: str = "127.0.0.1"
    """Where the server listens."""
    port: int = 8000
    """Its port; 0 takes a free one."""
    workers: int = 1
    """How many server processes."""
    key: str = ""
    """The admin key; empty: the one in HOME/key, made at first start."""
    read_keys: tuple[str, ...] = ()
    """Keys that may only ask."""
    ingest_keys: tuple[str, ...] = ()
    """Keys that may only write events, items and users."""
    body_limit: int = 16 * 1024 * 1024
    """The longest request body in bytes."""
    batch_limit: int = 10_000
    """The most rows in one request."""
    client_timeout_ms: int = 30_000
    """How long a client may take to send a request or to take an answer, in milliseconds."""
    poll_ms: int = 25
    """How often a worker looks for what others wrote, in milliseconds."""
    stale_wait_ms: int = 1000
    """How long a read with `at_least` waits before it answers as degraded."""
    impressions: bool = True
    """Whether what was shown is logged."""
    impressions_days: int = 90
    """How long impressions are kept."""
    consent_required: bool = False
    """Refuse events of users who have not given consent."""
    pseudonyms: bool = False
    """Store keyed pseudonyms instead of user ids."""
    pseudonym_key: str = ""
    """The key of the pseudonyms; empty: the one in HOME/pseudonym.key, made at first use."""
    log_level: str = "info"
    """How much the server says: debug, info, warning or error."""


def load_settings(home: Path | str | None = None, **given: Any) -> Settings:
    """The settings of `home`: defaults, then plait.toml, then the environment, then `given`.

    Raises InputError for an unknown key or a value that cannot be, naming it.
    """
    place = Path(home if home is not None else os.environ.get("PLAIT_HOME", "home"))
    values: dict[str, Any] = {}
    for source, found in (("plait.toml", _file(place)), ("the environment", _environment())):
        values.update(_checked(found, source))
    values.update({name: value for name, value in given.items() if value is not None})
    values["home"] = place
    return _in_range(Settings(**values))


def child_environment(settings: Settings, metrics: Path) -> dict[str, str]:
    """The environment of a server process: this one's, the settings, and where meters are kept."""
    values = {one.name: getattr(settings, one.name) for one in fields(Settings)}
    values["home"] = settings.home.absolute()
    told = {
        PREFIX + name.upper(): ",".join(value) if isinstance(value, tuple) else str(value)
        for name, value in values.items()
    }
    return {**os.environ, **told, METRICS: str(metrics)}


def process_rank_and_size() -> tuple[int, int]:
    """Which process this is of how many, as `torchrun` and `accelerate launch` tell each."""
    rank, size = _count("RANK"), _count("WORLD_SIZE")
    return (rank, size) if size > 1 else (0, 1)


def local_process_count() -> int:
    """How many of those processes share this machine, this one included."""
    return max(_count("LOCAL_WORLD_SIZE"), 1)


def metrics_folder() -> Path | None:
    """Where the server processes of one parent keep their meters; None for a lone process."""
    folder = os.environ.get(METRICS)
    return Path(folder) if folder else None


def _count(name: str) -> int:
    said = os.environ.get(name, "")
    return int(said) if said.isdecimal() else 0


def _file(home: Path) -> Mapping[str, Any]:
    path = home / "plait.toml"
    if not path.is_file():
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as problem:
        raise InputError(f"{path} is not TOML: {problem}") from problem


def _environment() -> Mapping[str, str]:
    names = {one.name for one in fields(Settings)}
    found = {name: os.environ.get(PREFIX + name.upper()) for name in names}
    return {name: value for name, value in found.items() if value is not None}


def _checked(found: Mapping[str, Any], source: str) -> dict[str, Any]:
    known = {one.name: one for one in fields(Settings)}
    for name in found:
        if name not in known:
            raise InputError(
                f"{source} sets {name!r}, which is no setting",
                hint=f"settings are {', '.join(sorted(known))}",
                field=name,
            )
    return {name: _typed(name, str(known[name].type), value) for name, value in found.items()}


def _typed(name: str, kind: str, value: Any) -> Any:
    try:
        if kind == "Path":
            return Path(value)
        if kind == "int":
            return int(value)
        if kind == "bool":
            return _parse_bool(value)
        if kind.startswith("tuple"):
            parts = value.split(",") if isinstance(value, str) else value
            return tuple(one for one in (str(part).strip() for part in parts) if one)
    except (TypeError, ValueError) as problem:
        raise InputError(f"{name} is {value!r}, expected {kind}", field=name) from problem
    return str(value).strip()  # a key read from a file ends with a line break no header can carry


def _in_range(settings: Settings) -> Settings:
    for name, least in LEAST.items():
        found = getattr(settings, name)
        if found < least:
            raise InputError(f"{name} is {found}", hint=f"give {least} or more", field=name)
    if settings.log_level.lower() not in LEVELS:
        hint = f"say one of {', '.join(LEVELS)}"
        raise InputError(f"log_level is {settings.log_level!r}", hint=hint, field="log_level")
    if settings.database and "://" not in settings.database:
        raise InputError(  # what it is stays unsaid: it may hold a password
            "database is no URL",
            hint="like postgresql+psycopg://USER:PASSWORD@HOST/NAME; "
            "without the setting the log is an SQLite file in the home",
            field="database",
        )
    return settings


def _parse_bool(value: Any) -> bool:
    text = str(value).lower()
    if text not in ("true", "false", "1", "0", "yes", "no"):
        raise ValueError(text)
    return text in ("true", "1", "yes")

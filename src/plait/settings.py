"""The settings of an operator: defaults, `HOME/plait.toml`, then the environment.

Unknown keys are refused. This is the only module that reads the environment.
"""

from __future__ import annotations

import os
import re
import reprlib
import stat
import tomllib
from dataclasses import field, fields
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.dataclasses import dataclass
from pydantic_core import PydanticCustomError

from plait.errors import InputError

__all__ = [
    "KEY_LENGTH",
    "RATE_COSTS",
    "Settings",
    "allocator_arenas",
    "allocator_free_bytes",
    "child_environment",
    "database_url_error",
    "load_settings",
    "local_process_count",
    "metrics_folder",
    "process_rank_and_size",
]

PREFIX = "PLAIT_"
KEY_LENGTH = 16
"""The fewest characters of a key of the server: a shorter one can be guessed."""

ALLOCATOR_ARENAS = 2
"""How many arenas of memory a server process has, see `plait.utils.allocator`."""

LEVELS = ("debug", "info", "warning", "error")
METRICS = "PROMETHEUS_MULTIPROC_DIR"
"""The variable that prometheus_client reads when it is imported."""


RATE_COSTS = {
    "search": 1.0,
    "recommend": 1.0,
    "similar": 1.0,
    "rank": 1.0,
    "next": 1.0,
    "list": 1.0,
    "row": 0.01,
    "other": 0.2,
}
"""The tokens that each kind of request takes; `row` is one of a body beyond its first."""


def _check_level(level: str) -> str:
    if level.lower() not in LEVELS:
        hint = f"say one of {', '.join(LEVELS)}"
        raise PydanticCustomError("level", "no log level", {"hint": hint})
    return level


def _check_url(url: str) -> str:
    if url and "://" not in url:
        hint = "like postgresql+psycopg://USER:PASSWORD@HOST/NAME; without it the log is SQLite"
        raise PydanticCustomError("url", "no URL", {"hint": hint})
    message, hint = database_url_error(url)
    if message:
        raise PydanticCustomError("url", "{message}", {"message": message, "hint": hint})
    return url


def _check_key(key: str) -> str:
    if 0 < len(key) < KEY_LENGTH:
        hint = f"give {KEY_LENGTH} characters or more: openssl rand -hex 32 makes a good key"
        raise PydanticCustomError("key", "a key that is too short", {"hint": hint})
    return key


def _check_modules(modules: tuple[str, ...]) -> tuple[str, ...]:
    for module in modules:
        if not all(part.isidentifier() for part in module.split(".")):
            hint = "name modules of Python, like shop_models or shop.models"
            raise PydanticCustomError("module", "no name of a module", {"hint": hint})
    return modules


def _split(value: Any) -> Any:
    """The keys of a comma-separated text, or of a list, without empty ones."""
    keys = value.split(",") if isinstance(value, str) else value
    return (
        tuple(key for key in keys if str(key).strip()) if isinstance(keys, list | tuple) else keys
    )


def _check_origins(origins: tuple[str, ...]) -> tuple[str, ...]:
    """Origins as browsers send them: without a path, not even a slash."""
    for origin in origins:
        url = urlsplit(origin)
        if origin != "*" and (
            not url.netloc or url.path or url.query or url.fragment or "*" in origin
        ):
            hint = 'name scheme and host, like https://shop.example, or "*" for any'
            raise PydanticCustomError("origin", "no origin of a web page", {"hint": hint})
    return origins


def _check_web_urls(urls: tuple[str, ...]) -> tuple[str, ...]:
    for url in urls:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            hint = "like https://shop.example/hooks/plait"
            raise PydanticCustomError("web_url", "no http or https URL", {"hint": hint})
    return urls


def _check_costs(costs: tuple[str, ...]) -> tuple[str, ...]:
    for entry in costs:
        kind, _, cost = (part.strip() for part in entry.partition("="))
        if kind not in RATE_COSTS or not re.fullmatch(r"\d+(\.\d+)?|\.\d+", cost):
            hint = f"like search=2; kinds are {', '.join(RATE_COSTS)}"
            raise PydanticCustomError("cost", "no cost of a kind of request", {"hint": hint})
    return costs


Names = Annotated[tuple[str, ...], BeforeValidator(_split)]
Key = Annotated[str, AfterValidator(_check_key)]
Keys = Annotated[tuple[Key, ...], BeforeValidator(_split)]
Modules = Annotated[Names, AfterValidator(_check_modules)]
Origins = Annotated[Names, AfterValidator(_check_origins)]
WebUrls = Annotated[Names, AfterValidator(_check_web_urls)]
Costs = Annotated[Names, AfterValidator(_check_costs)]
Rate = Annotated[float, Field(ge=0, le=1e9)]
Seconds = Annotated[float, Field(ge=0.001, le=1e6)]
Count = Annotated[int, Field(ge=0)]
PositiveCount = Annotated[int, Field(ge=1)]


@dataclass(
    frozen=True,
    slots=True,
    config=ConfigDict(
        extra="forbid",
        str_strip_whitespace=True,  # a key read from a file ends with a line break
        coerce_numbers_to_str=True,
        hide_input_in_errors=True,  # it may contain a password
    ),
)
class Settings:
    """The settings of one home. Each can be set in `plait.toml`, or as PLAIT_<NAME>.

    Attributes:
        home: The folder of the log, the bundles, the key and the rejects.
        database: The SQLAlchemy URL of the log, `postgresql+psycopg://...`; empty: SQLite in the
            home.
        host: The address at which the server listens.
        port: Its port; 0 takes a free one.
        workers: How many server processes there are.
        key: The admin key, of 16 characters or more, as all keys of the server; empty: the one in
            HOME/key, made at first start.
        read_keys: Keys that may only query.
        ingest_keys: Keys that may only write events, items and users.
        events_keys: Keys that may only post events, such as those of web pages.
        cors_origins: The origins of web pages that may call the server; "*": any.
        body_limit: The largest request body, in bytes.
        query_body_limit: The largest body of a query, in bytes.
        batch_limit: The most rows in one request.
        rate_limit_key: How many tokens a second each key may take; 0: as many as it likes.
        rate_limit_user: How many tokens a second each user may take; 0: as many as the user likes.
        rate_limit_window_s: A key or user that was quiet may take the tokens of so many seconds
            at once.
        rate_costs: What kinds of requests cost in tokens where it is not what `RATE_COSTS` says,
            such as "search=2".
        new_fields_per_request: How many fields a request may bring that the log does not know.
        new_kinds_per_request: How many event types a request may bring that the log does not know.
        new_fields_per_day: How many such fields each key may bring in a day; 0: any number.
        new_kinds_per_day: How many such event types each key may bring in a day; 0: any number.
        client_timeout_ms: How long a client may take to send a request or to receive a response.
        poll_ms: How often a worker looks for what other processes wrote.
        stale_wait_ms: How long a read with `at_least` waits before its response is degraded.
        history_limit: How many events of a user the models see, the newest.
        query_budget_ms: How much processor time a costly query may take.
        impressions: Whether responses are recorded.
        impressions_days: How long impressions are kept.
        impressions_mb: How many megabytes impressions may take; the oldest are deleted first.
        consent_required: Whether events of users without consent are refused.
        pseudonyms: Whether keyed pseudonyms are stored in place of user ids.
        pseudonym_key: The key of the pseudonyms; empty: the one in HOME/pseudonym.key, made at
            first use.
        erasure_key: The key of the hashes of erased users' ids; empty: the one in
            HOME/erasure.key, made at the first erasure.
        recipe: The recipe that a fit without a recipe takes; empty: that of the bundle in use.
        keep_bundles: How many bundles stay.
        stage_modules: The modules, or packages, whose stages a bundle may name by their path
            `module:Class`; a bundle imports nothing else but registered stages.
        webhook_urls: Where a new bundle and a failed fit are announced.
        webhook_secret: The key of the announcements' signatures.
        webhook_timeout_ms: How long the receiver of an announcement may take.
        webhook_retries: How often an announcement is sent again after a failure.
        log_level: What the server logs: debug, info, warning or error.
    """

    home: Path = Path("home")
    database: Annotated[str, AfterValidator(_check_url)] = field(default="", repr=False)
    host: str = "127.0.0.1"
    port: Count = 8000
    workers: PositiveCount = 1
    key: Key = field(default="", repr=False)
    read_keys: Keys = field(default=(), repr=False)
    ingest_keys: Keys = field(default=(), repr=False)
    events_keys: Keys = field(default=(), repr=False)
    cors_origins: Origins = ()
    body_limit: PositiveCount = 16 * 1024 * 1024
    query_body_limit: PositiveCount = 1024 * 1024
    batch_limit: PositiveCount = 10_000
    rate_limit_key: Rate = 1000.0
    rate_limit_user: Rate = 100.0
    rate_limit_window_s: Seconds = 10.0
    rate_costs: Costs = ()
    new_fields_per_request: Count = 100
    new_kinds_per_request: Count = 20
    new_fields_per_day: Count = 500
    new_kinds_per_day: Count = 100
    client_timeout_ms: PositiveCount = 30_000
    poll_ms: PositiveCount = 25
    stale_wait_ms: Count = 1000
    history_limit: PositiveCount = 5000
    query_budget_ms: PositiveCount = 5000
    impressions: bool = True
    impressions_days: Count = 90
    impressions_mb: PositiveCount = 2000
    consent_required: bool = False
    pseudonyms: bool = False
    pseudonym_key: str = field(default="", repr=False)
    erasure_key: str = field(default="", repr=False)
    recipe: str = ""
    keep_bundles: PositiveCount = 3
    stage_modules: Modules = ()
    webhook_urls: WebUrls = field(default=(), repr=False)
    webhook_secret: str = field(default="", repr=False)
    webhook_timeout_ms: PositiveCount = 5000
    webhook_retries: Count = 3
    log_level: Annotated[str, AfterValidator(_check_level)] = "info"


_NAMES = tuple(setting.name for setting in fields(Settings))
_SECRETS = frozenset(setting.name for setting in fields(Settings) if not setting.repr)
_PASSWORD = re.compile(r"://[^:/@]*:[^@]+@|[?&]password=")
_PORT = re.compile(r"(?:\[[^\]]*\]|[^/:?]*):([^/?]+)")
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def load_settings(home: Path | str | None = None, **overrides: Any) -> Settings:
    """Load the settings of a home: defaults, then plait.toml, then the environment, then arguments.

    Args:
        home: The home; None: PLAIT_HOME, else "home".
        overrides: Settings by name; None: not set.

    Returns:
        The settings.

    Raises:
        InputError: If a key is unknown or a value is not valid, or if others may read a plait.toml
            that sets a secret; its `field` names the setting.
    """
    folder = Path(home if home is not None else os.environ.get("PLAIT_HOME", "home"))
    environment = {name: os.environ.get(PREFIX + name.upper()) for name in _NAMES}
    values: dict[str, Any] = _read_file(folder / "plait.toml")
    for source in (environment, overrides):
        values.update({name: value for name, value in source.items() if value is not None})
    try:
        return Settings(**{**values, "home": folder})
    except ValidationError as problem:
        raise _input_error(problem) from None  # the original may contain a password


def _read_file(path: Path) -> dict[str, Any]:
    try:
        if not path.is_file():
            return {}
        values = tomllib.loads(path.read_text(encoding="utf-8"))
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as problem:
        raise InputError(f"{path} cannot be read: {problem.strerror}") from problem
    except RecursionError as problem:
        raise InputError(f"{path} is not valid TOML: its values are nested too deep") from problem
    except ValueError as problem:  # no TOML, or not in UTF-8
        raise InputError(f"{path} is not valid TOML: {problem}") from problem
    secrets = {name for name in _SECRETS & values.keys() if values[name]}
    database = values.get("database")
    if not (isinstance(database, str) and _PASSWORD.search(database)):
        secrets.discard("database")
    secret = min(secrets, default="")
    if secret and mode & _OTHERS:
        raise InputError(
            f"{path} sets {secret}, and others may read it: its mode is {mode:04o}, expected 0600",
            hint=f"chmod 600 {path}; if another person may have read it, change what it sets",
            field=secret,
        )
    return values


def database_url_error(url: str) -> tuple[str, str]:
    """Find what is wrong with the URL of a database, before a driver puts parts of it in messages.

    Args:
        url: The URL.

    Returns:
        A message without any part of the URL, and the next step; ("", "") if nothing is wrong.
    """
    if url.count("@") > 1:  # what follows the first would be the host
        return "the database URL has more than one @", "write %40 for an @ in a name or password"
    address = url.rpartition("@")[2] if "@" in url else url.partition("://")[2]
    port = _PORT.match(address)
    if port is not None and not port[1].isdecimal():
        hint = "like postgresql+psycopg://USER:PASSWORD@HOST:5432/NAME; %2F stands for a slash"
        return "the port in the database URL is no number", hint
    return "", ""


def _input_error(problem: ValidationError) -> InputError:
    """The first error of a validation, without the value of a secret."""
    error = problem.errors(include_url=False)[0]
    name, context = str(error["loc"][0]), error.get("ctx", {})
    if name not in _NAMES:
        hint = f"settings are {', '.join(sorted(_NAMES))}"
        return InputError(f"unknown setting {name!r}", hint=hint, field=name)
    brief = reprlib.Repr()  # the beginning of a value, and not its depths
    brief.maxstring = 200
    value = name if name in _SECRETS else f"{name} = {brief.repr(error['input'])}"
    hint = f"give {context['ge']} or more" if "ge" in context else context.get("hint", "")
    return InputError(f"{value}: {error['msg']}", hint=hint, field=name)


def child_environment(settings: Settings, metrics: Path) -> dict[str, str]:
    """Return the environment of a server process.

    Args:
        settings: The settings that the process loads.
        metrics: The folder in which the processes keep their metrics.

    Returns:
        The environment of this process, with the settings and the folder.
    """
    values = {name: getattr(settings, name) for name in _NAMES}
    values["home"] = settings.home.absolute()
    texts = {
        PREFIX + name.upper(): ",".join(value) if isinstance(value, tuple) else str(value)
        for name, value in values.items()
    }
    return {**os.environ, **texts, METRICS: str(metrics)}


def allocator_arenas() -> int:
    """Return how many arenas of memory a server process should have; 0: the environment says."""
    return 0 if "MALLOC_ARENA_MAX" in os.environ else ALLOCATOR_ARENAS


def allocator_free_bytes() -> int:
    """Return how many free bytes an arena may keep; 0: the environment says."""
    names = {"MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"}
    return 0 if names & os.environ.keys() else 8 << 20


def process_rank_and_size() -> tuple[int, int]:
    """Return which process this is of how many, as set by `torchrun` and `accelerate launch`.

    Returns:
        The rank of this process, and the number of processes; (0, 1) for a single process.
    """
    rank, size = _read_count("RANK"), _read_count("WORLD_SIZE")
    return (rank, size) if size > 1 else (0, 1)


def local_process_count() -> int:
    """Return how many of those processes run on this machine, this one included."""
    return max(_read_count("LOCAL_WORLD_SIZE"), 1)


def metrics_folder() -> Path | None:
    """Return where the server processes of one parent keep their metrics; None for a lone one."""
    folder = os.environ.get(METRICS)
    return Path(folder) if folder else None


def _read_count(name: str) -> int:
    text = os.environ.get(name, "")
    return int(text) if text.isdecimal() else 0

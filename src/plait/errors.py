"""The errors that Plait raises on purpose, with their HTTP status.

::

    PlaitError
    ├── InputError            400  a value from the caller is wrong; `field` names it
    │   ├── FilterError       400  a filter expression that does not parse or fit the fields
    │   ├── RecipeError       400  a recipe that cannot be read or built
    │   ├── MappingError      400  a file whose columns cannot be mapped
    │   └── ProtocolError     400  an evaluation that the data do not allow
    ├── AuthError             401  no key, or a wrong one
    ├── ScopeError            403  a key without the scope of the route
    ├── NotFoundError         404  an unknown id
    ├── SlowClientError       408  a request that did not arrive in time
    ├── ConflictError         409  a known id with other content
    ├── TooLargeError         413  a body, batch or field above its limit
    ├── RateLimitError        429  a key or a user that asks for more than its rate
    ├── NotReadyError         503  there is no fitted bundle yet
    ├── StageError            500  a stage that breaks the contract of stages
    ├── BundleError           500  a damaged bundle, or one of another version
    ├── StorageError          507  the database cannot be opened, read or written
    └── MissingExtraError     501  an optional package is not installed
"""

from __future__ import annotations

import re

__all__ = [
    "AuthError",
    "BundleError",
    "ConflictError",
    "FilterError",
    "InputError",
    "MappingError",
    "MissingExtraError",
    "NotFoundError",
    "NotReadyError",
    "PlaitError",
    "ProtocolError",
    "RateLimitError",
    "RecipeError",
    "ScopeError",
    "SlowClientError",
    "StageError",
    "StorageError",
    "TooLargeError",
]


_OPTION = re.compile(r"--([a-z][a-z-]+)(?: ([a-z][a-z0-9-]+)(?=$|[,;)]| --))?")


def _in_python(text: str) -> str:
    """A message with options as the arguments of Python; a whole command stays as it is."""
    if re.search(r"\bplait [a-z]", text):
        return text

    def argument(option: re.Match[str]) -> str:
        name = option[1].replace("-", "_")
        return name if option[2] is None else f'{name}="{option[2]}"'

    return _OPTION.sub(argument, text)


class PlaitError(Exception):
    """The base of all errors.

    Attributes:
        code: A stable name of the class of errors, part of HTTP responses.
        status: The HTTP status.
        message: What went wrong, what was expected.
        public: What a client of the server may know of it: the message, unless that holds the
            words of a database or a path.
        hint: The next step for the reader, "" if there is none. `--test-days` in it names an
            option of the command line; the text of the exception has the argument `test_days`.
        field: The part of the input at fault, "" if there is none.
    """

    code = "error"
    status = 500

    def __init__(self, message: str, *, hint: str = "", field: str = "") -> None:
        super().__init__(message)
        self.message = self.public = message
        self.hint = hint
        self.field = field

    def __str__(self) -> str:
        text = f"{self.message} ({self.hint})" if self.hint else self.message
        return _in_python(text)


class InputError(PlaitError):
    """A value from the caller is wrong."""

    code = "bad_input"
    status = 400


class FilterError(InputError):
    """A filter expression does not parse, or does not fit the fields."""

    code = "bad_filter"


class RecipeError(InputError):
    """A recipe cannot be read or built."""

    code = "bad_recipe"


class MappingError(InputError):
    """The columns of a file cannot be mapped to those of events."""

    code = "bad_mapping"


class StageError(PlaitError):
    """A stage returned what the contract of stages does not allow."""

    code = "bad_stage"


class ProtocolError(InputError):
    """The data do not allow the evaluation protocol."""

    code = "bad_protocol"


class AuthError(PlaitError):
    """The request has no key, or a wrong one."""

    code = "unauthorized"
    status = 401


class ScopeError(PlaitError):
    """The key does not have the scope that the route needs."""

    code = "forbidden"
    status = 403


class NotFoundError(PlaitError):
    """An id is unknown."""

    code = "not_found"
    status = 404


class SlowClientError(PlaitError):
    """The request did not arrive in time."""

    code = "timeout"
    status = 408


class ConflictError(PlaitError):
    """An id is known with other content."""

    code = "conflict"
    status = 409


class TooLargeError(PlaitError):
    """A body, batch or field is larger than its limit."""

    code = "too_large"
    status = 413


class RateLimitError(PlaitError):
    """A key or a user asks for more than its rate.

    Args:
        message: Who asks for more than what.
        retry_after_s: Seconds until the next request may pass.
        hint: The next step.
        field: The part of the request that names who asks.

    Attributes:
        retry_after_s: Seconds until the next request may pass.
    """

    code = "rate_limited"
    status = 429

    def __init__(
        self, message: str, retry_after_s: float, *, hint: str = "", field: str = ""
    ) -> None:
        super().__init__(message, hint=hint, field=field)
        self.retry_after_s = retry_after_s


class NotReadyError(PlaitError):
    """There is no fitted bundle yet."""

    code = "not_ready"
    status = 503


class BudgetError(PlaitError):
    """A query takes more work than the server gives to one."""

    code = "over_budget"
    status = 503


class BundleError(PlaitError):
    """A bundle is damaged, of another version, or not a bundle."""

    code = "bad_bundle"


class StorageError(PlaitError):
    """The database cannot be opened, read or written.

    Args:
        message: What went wrong, in the words of the database too.
        hint: The next step for the reader.
        field: The part of the input at fault.
        public: What a client of the server may know of it; "": the message.
    """

    code = "storage"
    status = 507

    def __init__(self, message: str, *, hint: str = "", field: str = "", public: str = "") -> None:
        super().__init__(message, hint=hint, field=field)
        self.public = public or message


class MissingExtraError(PlaitError):
    """An optional package is not installed.

    Args:
        what: What needs it.
        extra: The extra of Plait to install.
    """

    code = "missing_extra"
    status = 501

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs an optional part", hint=_install_hint(extra))


def _install_hint(extra: str) -> str:
    """The command that installs an extra, outside a checkout too.

    Outside one, no index need have this version of Plait, so the packages are named themselves.
    """
    from importlib.metadata import PackageNotFoundError, distribution

    from_checkout = f'pip install "plait[{extra}]"'
    try:
        plait = distribution("plait")
    except PackageNotFoundError:
        return from_checkout
    if '"editable": true' in (plait.read_text("direct_url.json") or ""):
        return from_checkout
    pairs = [text.partition(";")[::2] for text in plait.requires or ()]
    names = [name.strip() for name, marker in pairs if f"extra == '{extra}'" in marker]
    return "pip install " + " ".join(f'"{name}"' for name in names) if names else from_checkout

"""Every error that Plait raises on purpose.

::

    PlaitError
    ├── InputError            400  a value from outside is wrong; `field` names it
    │   ├── FilterError       400  a filter expression that does not parse or fit the fields
    │   ├── RecipeError       400  a recipe that cannot be built
    │   ├── MappingError      400  a file whose columns cannot be understood
    │   └── ProtocolError     400  an evaluation that these data do not allow
    ├── AuthError             401  no key, or a wrong one
    ├── ScopeError            403  a key without the scope that the route needs
    ├── NotFoundError         404  an id nobody has heard of
    ├── SlowClientError       408  a request that did not arrive in time
    ├── ConflictError         409  the same id with other content
    ├── TooLargeError         413  a body, batch or field above its limit
    ├── NotReadyError         503  no fitted bundle yet
    ├── BundleError           500  a damaged or foreign bundle
    ├── StorageError          507  the store cannot be opened, read or written
    └── MissingExtraError     501  an optional part that is not installed
"""

from __future__ import annotations

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
    "RecipeError",
    "ScopeError",
    "SlowClientError",
    "StorageError",
    "TooLargeError",
]


class PlaitError(Exception):
    """The root. `hint` is the next step for the reader, `field` the part of the input at fault."""

    code = "error"
    status = 500

    def __init__(self, message: str, *, hint: str = "", field: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.field = field

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class InputError(PlaitError):
    """A value that came from outside is wrong."""

    code = "bad_input"
    status = 400


class FilterError(InputError):
    """A filter expression that does not parse or names no known field."""

    code = "bad_filter"


class RecipeError(InputError):
    """A recipe that cannot be read or wired."""

    code = "bad_recipe"


class MappingError(InputError):
    """A file whose columns cannot be understood."""

    code = "bad_mapping"


class ProtocolError(InputError):
    """An evaluation protocol that these data do not allow."""

    code = "bad_protocol"


class AuthError(PlaitError):
    """No key, or a wrong one."""

    code = "unauthorized"
    status = 401


class ScopeError(PlaitError):
    """A key without the scope that the route needs."""

    code = "forbidden"
    status = 403


class NotFoundError(PlaitError):
    """An id that nobody has heard of."""

    code = "not_found"
    status = 404


class SlowClientError(PlaitError):
    """A request that did not arrive in time."""

    code = "timeout"
    status = 408


class ConflictError(PlaitError):
    """The same id with other content."""

    code = "conflict"
    status = 409


class TooLargeError(PlaitError):
    """A body, batch or field above its limit."""

    code = "too_large"
    status = 413


class NotReadyError(PlaitError):
    """No fitted bundle is there yet."""

    code = "not_ready"
    status = 503


class BundleError(PlaitError):
    """A bundle that is damaged, foreign or of another version."""

    code = "bad_bundle"


class StorageError(PlaitError):
    """The store cannot be opened, read or written."""

    code = "storage"
    status = 507


class MissingExtraError(PlaitError):
    """An optional part that is not installed."""

    code = "missing_extra"
    status = 501

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs an optional part", hint=f'pip install "plait[{extra}]"')

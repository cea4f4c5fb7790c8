"""Callbacks that do nothing, for parameters that report progress."""

__all__ = ["ignore"]


def ignore(*_args: object, **_kwargs: object) -> None:
    """Accept any arguments and do nothing: the default of an optional callback.

    Args:
        _args: Positional arguments of the callback.
        _kwargs: Keyword arguments of the callback.
    """

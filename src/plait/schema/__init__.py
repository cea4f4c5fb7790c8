"""Types of item and user fields: inferred, declared, applied."""

__all__: list[str] = []

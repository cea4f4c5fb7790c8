"""Types of item and user fields, and the rules that events must satisfy."""

__all__: list[str] = []

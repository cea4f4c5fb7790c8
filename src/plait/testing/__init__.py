"""For those who write stages: toy worlds with known answers, and the suite every stage passes."""

__all__: list[str] = []

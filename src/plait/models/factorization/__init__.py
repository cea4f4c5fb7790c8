"""Matrix factorisation, for implicit feedback and for ratings."""

__all__: list[str] = []

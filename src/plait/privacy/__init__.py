"""Privacy: consent before a user is stored, and pseudonyms in place of user ids."""

__all__: list[str] = []

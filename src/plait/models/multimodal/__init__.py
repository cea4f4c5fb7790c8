"""The stage `unified`: items by id, words, text and pictures in one space with the users."""

__all__: list[str] = []

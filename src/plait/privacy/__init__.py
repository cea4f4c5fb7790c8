"""Consent and pseudonyms."""

__all__: list[str] = []

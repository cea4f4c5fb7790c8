"""Inputs that models and evaluation share: sparse rows, text, side information, interactions."""

__all__: list[str] = []

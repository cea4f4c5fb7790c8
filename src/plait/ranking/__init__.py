"""What happens to candidates: fusion, rules, the slate, explanations."""

__all__: list[str] = []

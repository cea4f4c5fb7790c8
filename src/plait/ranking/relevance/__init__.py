"""Learning to rank: relevance to a query, learned from judgements or from clicks."""

__all__: list[str] = []

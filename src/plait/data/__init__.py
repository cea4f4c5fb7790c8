"""Values in memory: events, data sets, catalogues, histories, queries, candidate lists."""

__all__: list[str] = []

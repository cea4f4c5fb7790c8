"""The HTTP server: routes without logic over one shop, and the processes they run in."""

__all__: list[str] = []

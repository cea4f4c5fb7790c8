"""The HTTP border: one file per group of routes, each a few lines over the shop."""

__all__: list[str] = []

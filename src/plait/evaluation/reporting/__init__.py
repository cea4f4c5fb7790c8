"""Tables, plots and HTML pages."""

__all__: list[str] = []

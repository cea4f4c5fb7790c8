"""The torch modules behind models; nobody imports them before a model is fitted or asked."""

__all__: list[str] = []

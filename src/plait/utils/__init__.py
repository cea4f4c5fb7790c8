"""Small helpers without a subject of their own: times, interrupts, memory, optional imports."""

__all__: list[str] = []

"""Values, stages and the pipeline that wires them."""

__all__: list[str] = []

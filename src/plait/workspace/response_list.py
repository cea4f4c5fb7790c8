"""The responses to many queries, as a list and as one frame."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from plait.workspace.response import Response

if TYPE_CHECKING:
    import polars as pl

__all__ = ["ResponseList"]


class ResponseList(list[Response]):
    """The responses to many queries, in their order.

    Args:
        responses: The responses.
        users: The user of each query, None where it names none.
    """

    def __init__(self, responses: Iterable[Response], users: Sequence[str | None]) -> None:
        super().__init__(responses)
        self.users = list(users)

    def to_frame(self) -> pl.DataFrame:
        """Return the items of all responses as one polars frame.

        Returns:
            The columns query (from 0), user, rank (from 1), id, score and reason (the text of the
            first). A response without items has no rows.
        """
        import polars as pl

        frames = [
            response.to_frame().select(
                pl.lit(number, dtype=pl.Int64).alias("query"),
                pl.lit(user, dtype=pl.String).alias("user"),
                pl.all(),
            )
            for number, (response, user) in enumerate(zip(self, self.users, strict=True))
        ]
        empty = (
            Response("", "", 0, "")
            .to_frame()
            .select(pl.lit(0, dtype=pl.Int64).alias("query"), pl.lit("").alias("user"), pl.all())
        )
        return pl.concat([empty, *frames])

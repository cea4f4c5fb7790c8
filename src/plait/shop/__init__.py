"""Everything the library does, without HTTP: `plait.open`, `Shop`, `Answer`."""

from plait.shop.answers import Answer, Shown
from plait.shop.ingesting import Receipts
from plait.shop.shop import Shop, open  # noqa: A004  plait.open

__all__ = ["Answer", "Receipts", "Shop", "Shown", "open"]

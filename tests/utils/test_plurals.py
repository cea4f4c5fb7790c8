"""Numbers with what they count."""

from plait.utils.plurals import counted


def test_only_one_is_singular():
    texts = [counted(count, "row") for count in (0, 1, 2, 1234)]
    assert texts == ["0 rows", "1 row", "2 rows", "1,234 rows"]

"""Catalogues by hand, with the type of every field stated."""

from plait.data.catalogue import Catalogue, Change


def catalogue_of(types, rows, ids=None):
    """Items i0, i1, ... with these fields; an empty text is no value."""
    names = ids or [f"i{number}" for number in range(len(rows))]
    changes = [
        Change(
            number,
            "put",
            {name: None if value == "" else value for name, value in row.items()},
            number,
        )
        for number, row in enumerate(rows)
    ]
    return Catalogue().with_ids(names).with_columns(types).updated(changes)

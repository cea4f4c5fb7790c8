"""An encoding that follows a column equals the encoding of the column as it stands."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from plait.data.catalogue import Catalogue, Change
from plait.data.encoded_column import EncodedColumn

TEXTS = st.sampled_from(["lamp", "Mug", "STRASSE", "straße", ""])
SETS = st.lists(st.sampled_from(["a", "b", "c"]), max_size=3, unique=True).map(tuple)
FIELDS = st.fixed_dictionaries({}, optional={"title": TEXTS, "tags": SETS})
CHANGES = st.lists(
    st.tuples(st.integers(0, 4), st.sampled_from(["put", "patch", "delete"]), FIELDS), max_size=8
)


def catalogue(size):
    types = {"title": "text", "tags": "set"}
    return Catalogue().with_ids([f"i{n}" for n in range(size)]).with_columns(types)


def entries(encoded, value):
    return encoded.entries_in([value]).tolist()


@given(CHANGES, CHANGES)
def test_encoding_follows_the_changes_of_a_column(first, second):
    version = catalogue(5)
    for batch in (first, second):
        assert len(version.columns["title"].encoded.present) == len(version)
        assert len(version.columns["tags"].encoded.present) == len(version)
        version = version.updated([Change(*change, offset) for offset, change in enumerate(batch)])
        version = version.with_ids([f"i{len(version)}"])
    for column in version.columns.values():
        fresh = EncodedColumn.of(column.values)
        assert column.encoded.present.tolist() == fresh.present.tolist()
        for value in ["lamp", "Mug", "a", "b", "c", "", "unknown"]:
            assert entries(column.encoded, value) == entries(fresh, value)


def test_earlier_versions_keep_their_encoding():
    before = catalogue(2).updated([Change(0, "put", {"title": "lamp"}, 0)])
    assert entries(before.columns["title"].encoded, "lamp") == [True, False]
    after = before.updated([Change(0, "put", {"title": "mug"}, 1)])
    assert entries(after.columns["title"].encoded, "mug") == [True, False]
    assert entries(after.columns["title"].encoded, "lamp") == [False, False]
    assert entries(before.columns["title"].encoded, "lamp") == [True, False]


def test_vocabulary_is_built_anew_when_most_of_it_is_stale():
    version = catalogue(2)
    for n in range(200):
        version = version.updated([Change(0, "put", {"title": f"title {n}"}, n)])
        assert version.columns["title"].encoded.present.tolist() == [True, False]
    assert len(version.columns["title"].encoded.vocabulary.codes) < 20


def test_folded_strings_follow_the_vocabulary():
    encoded = EncodedColumn.of(np.array(["Straße", None, "MUG"], object))
    assert encoded.vocabulary.series(folded=True).to_list() == ["strasse", "mug"]
    encoded.vocabulary.encode(["Lamp"])
    assert encoded.vocabulary.series(folded=True).to_list() == ["strasse", "mug", "lamp"]
    assert encoded.vocabulary.series().to_list() == ["Straße", "MUG", "Lamp"]

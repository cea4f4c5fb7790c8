import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.state.interaction_index import MAX_LOOSE, InteractionIndex, InteractionRows, SortedRun

ROW = st.tuples(st.integers(0, 6), st.integers(0, 20), st.integers(0, 3), st.integers(0, 9))


def as_rows(listed):
    columns = list(zip(*listed, strict=True)) or [()] * 4
    kinds = (np.int32, np.int32, np.int16, np.int64)
    return InteractionRows(
        *(np.array(column, kind) for column, kind in zip(columns, kinds, strict=True))
    )


def naive(listed, user):
    own = [row for row in listed if row[0] == user]
    return [row[1:] for row in sorted(own, key=lambda row: row[3])]


def row_tuples(rows):
    return list(
        zip(rows.items.tolist(), rows.event_types.tolist(), rows.times.tolist(), strict=True)
    )


def check(index, listed, users=range(8)):
    users = np.array([*users, -1], np.int32)
    offsets, rows = index.batch_rows(users)
    for place, user in enumerate(users.tolist()):
        expected = naive(listed, user)
        assert row_tuples(index.user_rows(user)) == expected
        part = InteractionRows(*(column[offsets[place] : offsets[place + 1]] for column in rows))
        assert row_tuples(part) == expected
    assert len(index) == len(listed)


@settings(deadline=None)
@given(st.lists(st.lists(ROW, max_size=30), max_size=12), st.booleans())
def test_any_batches_give_the_histories_of_a_naive_model(batches, as_runs):
    index, listed = InteractionIndex(), []
    for batch in batches:
        index = index.with_rows(as_rows(batch))
        if as_runs:
            index = index.compacted(InteractionRows.empty())
        listed += batch
    check(index, listed)


@given(st.lists(ROW, max_size=60), st.sets(st.integers(0, 6)))
def test_users_that_leave_take_their_rows_with_them(listed, gone):
    half = len(listed) // 2
    index = InteractionIndex((SortedRun.from_rows(as_rows(listed[:half])),) if half else ())
    index = index.with_rows(as_rows(listed[half:])).without(gone)
    check(index, [row for row in listed if row[0] not in gone])


def test_many_small_batches_stay_few_runs():
    rng = np.random.default_rng(0)
    index, listed = InteractionIndex(), []
    for _ in range(60):
        batch = [
            (int(rng.integers(50)), int(rng.integers(99)), 0, len(listed) + place)
            for place in range(MAX_LOOSE // 4)
        ]
        index = index.with_rows(as_rows(batch))
        listed += batch
    assert len(index.runs) <= 3
    check(index, listed, range(50))


def test_an_old_version_does_not_see_what_came_later():
    first = InteractionIndex().with_rows(as_rows([(1, 7, 0, 5)]))
    second = first.with_rows(as_rows([(1, 8, 0, 4)]))
    assert row_tuples(first.user_rows(1)) == [(7, 0, 5)]
    assert row_tuples(second.user_rows(1)) == [(8, 0, 4), (7, 0, 5)]

"""Logs to fold, and a model of them that is too simple to be wrong."""

import json

from hypothesis import strategies as st

from plait.data.types import Event
from plait.eventlog import EventLog

ITEMS = ["a", "b", "c", "d"]
USERS = ["u", "v", "w"]
KINDS = ["view", "buy", "hide"]
WEIGHTS = {"view": 1.0, "buy": 3.0, "hide": -1.0}

fields = st.dictionaries(
    st.sampled_from(["title", "price", "tags"]), st.integers(0, 2), max_size=2
).map(
    lambda chosen: {
        name: {"title": f"the words of {value}", "price": value, "tags": ["x", f"y{value}"]}[name]
        for name, value in chosen.items()
    }
)
interaction = st.tuples(
    st.just("interaction"),
    st.sampled_from(KINDS),
    st.sampled_from(USERS),
    st.sampled_from(ITEMS),
    st.integers(1, 5),
)
item = st.tuples(
    st.just("item"), st.sampled_from(["put", "patch", "delete"]), st.sampled_from(ITEMS), fields
)
user = st.tuples(st.just("user"), st.sampled_from(["put", "patch"]), st.sampled_from(USERS), fields)
erase = st.tuples(st.just("erase"), st.sampled_from(USERS))
action = st.one_of(interaction, interaction, interaction, item, item, user, erase)
TEMPLATE = {"title": "the words of all", "price": 1, "tags": ["x", "y"]}


def event_of(number, action):
    name = f"e{number}"
    match action:
        case ("interaction", kind, user, item, time):
            return Event("interaction", name, kind, user, item, time * 1_000_000)
        case ("item", kind, item, fields):
            text = None if kind == "delete" else json.dumps(fields)
            return Event("item", name, kind, item=item, fields=text)
        case ("user", kind, user, fields):
            return Event("user", name, kind, user=user, fields=json.dumps(fields))
        case ("erase", user):
            return Event("erase", name, user=user)
    raise AssertionError(action)


def open_log(folder):
    """A log whose field types are settled, so that drift rejects nothing."""
    log = EventLog.open(folder)
    text = json.dumps(TEMPLATE)
    log.append(
        [
            Event("item", "first", "put", item="settled", fields=text),
            Event("user", "second", "put", user="settled", fields=text),
        ]
    )
    return log


class Model:
    """Dictionaries."""

    def __init__(self):
        self.items = {"settled": plain(TEMPLATE)}
        self.users = {"settled": plain(TEMPLATE)}
        self.alive = {"settled"}
        self.dead = set()
        self.histories = {}

    def do(self, number, action):
        match action:
            case ("interaction", kind, user, item, time):
                self.histories.setdefault(user, []).append((time, number, item, kind))
                self.users.setdefault(user, {})
                if item not in self.dead:
                    self.alive.add(item)
            case ("item", "delete", item, _):
                self.items.pop(item, None)
                self.alive.discard(item)
                self.dead.add(item)
            case ("item", kind, item, fields):
                self.change(self.items, kind, item, fields)
                self.alive.add(item)
                self.dead.discard(item)
            case ("user", kind, user, fields):
                self.change(self.users, kind, user, fields)
            case ("erase", user):
                self.users.pop(user, None)
                self.histories.pop(user, None)

    def change(self, table, kind, name, fields):
        before = table.get(name, {}) if kind == "patch" else {}
        table[name] = {**before, **plain(fields)}

    def doubtful(self):
        """Items that nobody described and none but erased users touched: known or not, by luck."""
        touched = {row[2] for rows in self.histories.values() for row in rows}
        return self.alive - touched - set(self.items)

    def history(self, user):
        return [(item, WEIGHTS[kind]) for _, _, item, kind in sorted(self.histories.get(user, []))]


def plain(fields):
    """Fields as a catalogue tells them."""
    return {
        name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()
    }


def state_content(state):
    """Everything a state says, by outside id."""
    catalogue, users = state.catalogue, state.users
    names = [name for name in users.ids if name and users.number(name) >= 0]
    return {
        "items": {
            name: catalogue.fields(number)
            for number, name in enumerate(catalogue.ids)
            if catalogue.alive[number]
        },
        "users": {name: users.fields(users.number(name)) for name in names},
        "histories": {name: history(state, name) for name in names},
    }


def history(state, user):
    events = state.history(state.users.numbers([user]), WEIGHTS)
    return [
        (state.catalogue.ids[item], weight)
        for item, weight in zip(events.items.tolist(), events.weights.tolist(), strict=True)
    ]

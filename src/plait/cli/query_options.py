"""Options of recommend, search and similar beside their filter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from plait.errors import InputError

__all__ = ["QueryControls"]

_SEEN_WORDS = ("keep", "remove")


@dataclass(frozen=True, slots=True)
class QueryControls:
    """What a query asks beside its filter."""

    seen: Annotated[
        list[str] | None,
        typer.Option(help="keep, remove, or a kind of event by which items are seen; repeatable."),
    ] = None
    cooldown: Annotated[
        list[str] | None,
        typer.Option(help="Such as \"30: category == 'ink'\", seen items for 30 days; repeatable."),
    ] = None
    boost: Annotated[
        list[str] | None,
        typer.Option(help="Such as \"1.5: brand == 'X'\", below 1 to bury; may be repeated."),
    ] = None
    pin: Annotated[
        list[str] | None,
        typer.Option(help="Such as 1:ID, an item with a fixed position; may be repeated."),
    ] = None
    field: Annotated[
        list[str] | None,
        typer.Option(help="A field to print with each item, or *; may be repeated."),
    ] = None
    group_by: Annotated[
        str | None, typer.Option(help="Show one item of each value of this field.")
    ] = None
    language: Annotated[
        str | None,
        typer.Option(help="Of the reasons: en, de, fr, es or zh; none: as the recipe says."),
    ] = None
    session: Annotated[
        str | None, typer.Option(help="The id of a session, whose events join the user's.")
    ] = None

    def to_keywords(self) -> dict[str, Any]:
        """The options that the user set, as keyword arguments of `Workspace.recommend`.

        Returns:
            Values by name; none that the user left out.

        Raises:
            InputError: If an option is not written as its help says.
        """
        boosts = [
            {"filter": text, "factor": number} for number, text in _numbered("boost", self.boost)
        ]
        pins = [
            {"item": text, "position": int(number) if number == int(number) else number}
            for number, text in _numbered("pin", self.pin)
        ]
        keywords = {
            "seen": self._seen(),
            "boosts": boosts,
            "pins": pins,
            "fields": self.field,
            "group_by": self.group_by,
            "language": self.language,
            "session": self.session,
        }
        return {name: value for name, value in keywords.items() if value not in (None, [])}

    def _seen(self) -> Any:
        seen = self.seen or []
        cooldowns = [
            {"filter": text, "days": days} for days, text in _numbered("cooldown", self.cooldown)
        ]
        if len(seen) == 1 and seen[0] in _SEEN_WORDS and not cooldowns:
            return seen[0]
        if not seen and not cooldowns:
            return None
        # Without a kind, only the items of the cool-downs stay away.
        days = 0 if not seen or seen == ["keep"] else None
        kinds = [kind for kind in seen if kind not in _SEEN_WORDS]
        return {"exclude": kinds, "days": days, "cooldown": cooldowns}


def _numbered(option: str, texts: Sequence[str] | None) -> list[tuple[float, str]]:
    """The parts of options written as NUMBER:TEXT."""
    pairs = []
    for text in texts or []:
        number, colon, rest = text.partition(":")
        try:
            pairs.append((float(number), rest.strip()))
        except ValueError:
            colon = ""
        if not colon or not rest.strip():
            raise InputError(
                f"--{option} is {text!r}, expected a number, a colon and the rest",
                hint={"pin": "--pin 1:ID"}.get(option, f"--{option} \"2: category == 'lamps'\""),
                field=option,
            )
    return pairs

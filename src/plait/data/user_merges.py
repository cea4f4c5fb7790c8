"""Which users are the same person: guests who became customers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np

from plait.data.array_types import Int32Array

__all__ = ["UserMerges"]


@dataclass(frozen=True, slots=True, eq=False)
class UserMerges:
    """A forest of user numbers: each merged user points to the one that it became. Immutable.

    Attributes:
        targets: By the number of a merged user, the number of the user that it became.
        roots: By the number of a merged user, the number that stands for all of the person.
        members: By such a number, those of the whole person, itself first.
    """

    targets: Mapping[int, int] = field(default_factory=dict)
    roots: Mapping[int, int] = field(default_factory=dict)
    members: Mapping[int, tuple[int, ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.targets)

    @staticmethod
    def of(targets: Mapping[int, int]) -> UserMerges:
        """Build the forest of some merges.

        Args:
            targets: By the number of a merged user, the number of the user that it became; without
                circles.

        Returns:
            The forest.
        """
        roots: dict[int, int] = {}
        members: dict[int, tuple[int, ...]] = {}
        for source in targets:
            root = targets[source]
            while root in targets:
                root = targets[root]
            roots[source] = root
            members[root] = (*members.get(root, (root,)), source)
        return UserMerges(dict(targets), roots, members)

    def root(self, number: int) -> int:
        """Return the number that stands for the whole person.

        Args:
            number: The number of a user.

        Returns:
            The number of the user that this one became, itself if it was not merged.
        """
        return self.roots.get(number, number)

    def person(self, number: int) -> tuple[int, ...]:
        """Return all numbers of the person of a user.

        Args:
            number: The number of a user.

        Returns:
            The numbers, that of `root` first.
        """
        root = self.root(number)
        return self.members.get(root, (root,))

    def merged(self, source: int, target: int | None) -> UserMerges:
        """Record that a user became another one, or no longer is.

        Args:
            source: The number of the user.
            target: The number of the other one; None: they are apart again.

        Returns:
            The forest after it; this one, if it would become a circle.
        """
        targets = {**self.targets}
        targets.pop(source, None)
        if target is not None:
            step: int | None = target
            while step is not None:
                if step == source:
                    return self
                step = targets.get(step)
            targets[source] = target
        return UserMerges.of(targets)

    def without(self, numbers: Collection[int]) -> UserMerges:
        """Forget users that were erased.

        Args:
            numbers: Their numbers.

        Returns:
            The forest without any merge from or into one of them.
        """
        remaining = {
            source: target
            for source, target in self.targets.items()
            if source not in numbers and target not in numbers
        }
        return self if len(remaining) == len(self.targets) else UserMerges.of(remaining)

    def root_numbers(self, users: Int32Array) -> Int32Array:
        """Replace merged users by those that they became.

        Args:
            users: User numbers, int32 [N]; -1 stays.

        Returns:
            int32 [N].
        """
        if not self.roots:
            return users
        sources = np.array(sorted(self.roots), np.int32)
        targets = np.array([self.roots[source] for source in sources.tolist()], np.int32)
        positions = np.minimum(sources.searchsorted(users), len(sources) - 1)
        return np.where(sources[positions] == users, targets[positions], users).astype(np.int32)

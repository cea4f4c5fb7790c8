"""Trials of a search for settings, kept in a file from which the search goes on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from plait.errors import InputError, StorageError
from plait.evaluation.protocol import digest
from plait.utils.plain_arguments import without_numpy
from plait.utils.toml_json import parse_json

__all__ = ["Trial", "TrialLog", "settings_key"]


@dataclass(frozen=True, slots=True)
class Trial:
    """Settings that were tried.

    Attributes:
        settings: Their values by name.
        value: What they reach; None if that is no number.
        seconds: How long the fit and the measurement took.
    """

    settings: Mapping[str, Any]
    value: float | None
    seconds: float


class TrialLog:
    """The finished trials of one search, in memory and in a file if there is a folder for it.

    Args:
        folder: Where the file lies; None: nowhere.
        identity: What two searches must have in common to share trials, as JSON.

    Raises:
        StorageError: If the file cannot be read or written.
    """

    def __init__(self, folder: str | Path | None, identity: Mapping[str, Any]) -> None:
        self.trials: list[Trial] = []
        self._path: Path | None = None
        if folder is None:
            return
        self._path = Path(folder) / f"trials-{digest(identity)}.jsonl"
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if self._path.exists():
                self._read(self._path.read_text(encoding="utf-8"))
            else:
                self._append({"search": identity})
        except (OSError, UnicodeDecodeError) as problem:
            raise StorageError(f"{self._path} cannot be read or written: {problem}") from problem

    def add(self, trial: Trial) -> None:
        """Keep a finished trial.

        Args:
            trial: The trial.

        Raises:
            StorageError: If it cannot be written.
        """
        self.trials.append(trial)
        if self._path is None:
            return
        try:
            self._append(asdict(trial))
        except OSError as problem:
            raise StorageError(f"{self._path} cannot be written: {problem}") from problem

    def _append(self, line: Mapping[str, Any]) -> None:
        assert self._path is not None
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def _read(self, text: str) -> None:
        """Take the trials of a file; a last line that was cut off while it was written goes."""
        assert self._path is not None
        *lines, torn = text.split("\n")
        if torn:
            self._path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        for number, line in enumerate(lines[1:], 2):
            try:
                self.trials.append(Trial(**parse_json(line)))
            except (ValueError, TypeError) as problem:
                raise StorageError(
                    f"line {number} of {self._path} is no trial: {problem}",
                    hint="move the file away to begin anew; only its trials are lost",
                ) from problem


def settings_key(settings: Mapping[str, Any]) -> str:
    """Return a text that is the same for equal settings.

    Args:
        settings: Values by name.

    Raises:
        InputError: If a value is none that a file can hold.
    """
    try:
        return json.dumps(without_numpy(settings), sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as problem:
        raise InputError(
            f"settings {settings!r} are no numbers, texts, truth values or lists: {problem}",
            field="space",
        ) from problem

"""The manifest of a bundle, read with every type checked: a malformed one is one message."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from plait.errors import BundleError, RecipeError
from plait.pipeline.recipe import Recipe
from plait.utils.printable_text import printable_line
from plait.utils.toml_json import parse_json

__all__ = ["MANIFEST", "SCHEMA", "check_stage_paths", "read_manifest"]

MANIFEST = "manifest.json"
"""The name of the file in the folder of a bundle."""

SCHEMA = 2
"""The version of the layout; a bundle of another one is refused."""

_LONGEST = 64 << 20
"""The most bytes of a manifest."""


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read the manifest of a bundle.

    Args:
        folder: The folder of the bundle.

    Returns:
        The manifest: `files`, `recipe` and `version` are there and of their type, `notes` is a
        mapping.

    Raises:
        BundleError: The manifest is unreadable, incomplete, malformed, or of another version.
    """
    bundle = printable_line(folder.name)
    path = folder / MANIFEST
    try:
        if path.stat().st_size > _LONGEST:
            raise ValueError(f"it has more than {_LONGEST >> 20} MiB")
        manifest = parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or problem
        raise BundleError(f"bundle {bundle!r} has no readable manifest: {reason}") from problem
    if not isinstance(manifest, dict) or manifest.get("format") != "plait-bundle":
        raise BundleError(f"{bundle!r} is not a bundle of Plait")
    if manifest.get("schema") != SCHEMA:
        raise BundleError(
            f"bundle {bundle} has schema {manifest.get('schema')!r}, this version reads {SCHEMA}",
            hint="fit again, or use the version that wrote it",
        )
    missing = {"files", "recipe", "version"} - manifest.keys()
    if missing:
        raise BundleError(
            f"the manifest of bundle {bundle} lacks {min(missing)!r}", hint="fit again"
        )
    manifest.setdefault("notes", {})
    for name, expected in _type_errors(manifest):
        raise BundleError(
            f"the manifest of bundle {bundle} is malformed: {name} is not {expected}",
            hint="fit again",
        )
    return dict(manifest)


def check_stage_paths(recipe: Recipe, modules: tuple[str, ...], whose: str) -> None:
    """Check that a recipe names no stage that an operator did not allow to be imported.

    Args:
        recipe: The recipe; its stages were not imported yet.
        modules: The modules and packages that a path `module:Class` may begin with.
        whose: Whose recipe it is, for the message.

    Raises:
        RecipeError: If a path begins with another module; registered names are always allowed.
    """
    for name, settings in (*recipe.models.items(), *recipe.steps.items()):
        module, separator, _ = str(settings.get("stage", name)).partition(":")
        parts = module.split(".")
        packages = {".".join(parts[:length]) for length in range(1, len(parts) + 1)}
        if separator and not packages & set(modules):
            raise RecipeError(
                f"{whose} names the stage {settings['stage']!r}, whose module the setting"
                " stage_modules does not allow",
                hint=f"if you trust that module: stage_modules = [{parts[0]!r}] in plait.toml, "
                f"or PLAIT_STAGE_MODULES={parts[0]}; or register the stage by an entry point",
                field="stage_modules",
            )


def _type_errors(manifest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What is malformed, and what was expected."""
    version, files, notes = (manifest[name] for name in ("version", "files", "notes"))
    recipe = manifest["recipe"] if isinstance(manifest["recipe"], dict) else {"extends": ""}
    if not _is_count(version):
        yield "version", "an offset of the log"
    if "extends" in recipe or not isinstance(recipe.get("name", ""), str):
        yield "recipe", "a whole recipe with a name"  # one that extends another would read a file
    if not isinstance(manifest.get("made", ""), str):
        yield "made", "a time"
    if not isinstance(files, dict) or not all(map(_is_file_entry, files.items())):
        yield "files", "a table of the hash of every file"
    yield from _note_errors(notes if isinstance(notes, dict) else {})
    if not isinstance(notes, dict):
        yield "notes", "a table"


def _note_errors(notes: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in ("items", "users", "events"):
        if notes.get(name) is not None and not _is_count(notes[name]):
            yield f"notes.{name}", "a count"
    marks = notes.get("event_marks", {})
    if not isinstance(marks, dict) or not all(
        offset.isdecimal() and isinstance(mark, str) for offset, mark in marks.items()
    ):
        yield "notes.event_marks", "a table of offsets"


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 62


def _is_file_entry(entry: tuple[str, Any]) -> bool:
    """Whether a name stays within the folder of the bundle, and its hash is a text."""
    path = PurePosixPath(entry[0])
    is_inside = not path.is_absolute() and ".." not in path.parts and "\0" not in entry[0]
    return is_inside and isinstance(entry[1], str)

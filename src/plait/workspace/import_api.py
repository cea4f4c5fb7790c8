"""The part of a workspace that imports files, reverts imports and changes types of fields."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, cast

from plait.data.catalogue import FieldType
from plait.eventlog import EventLog
from plait.eventlog.dry_run import DryRunLog
from plait.eventlog.retraction import ImportRecord
from plait.ingest.importer import Importer
from plait.pipeline.fit_context import Progress
from plait.privacy.consent import ConsentPolicy
from plait.ranking.sellable_summary import describe_sellable, describes_sale
from plait.state.catalogue_updates import item_catalogue
from plait.utils.garbage_collector import collector_paused
from plait.utils.no_op_callbacks import ignore
from plait.workspace.ingest import ImportOptions, ImportReport, ingest
from plait.workspace.live_model import LiveModel

__all__ = ["ImportApi"]


class ImportApi:
    """Imports files into a log; a base of `DataApi`.

    Args:
        log: The log.
        host: Holds the state that must know of what was imported.
        consent: Whose rows may be stored, and under which ids.
        rejects: The folder of rows that were refused.
    """

    def __init__(
        self, log: EventLog, host: LiveModel, consent: ConsentPolicy, rejects: Path
    ) -> None:
        self.host = host
        self._log = log
        self._consent = consent
        self._rejects = rejects

    def ingest(
        self,
        events: Any = None,
        items: Any = None,
        users: Any = None,
        facts: Any = None,
        map: Any = None,  # noqa: A002
        progress: Progress | None = None,
        *,
        dry_run: bool = False,
        replace: bool = False,
        sync: bool = False,
        allow_loss: bool = False,
    ) -> ImportReport:
        """Append files, DataFrames (polars or pandas) or lists of dicts; see docs/data-formats.md.

        Bad rows are counted in the report and written to HOME/rejects; the others are stored.
        Ingesting the same rows again changes nothing. A row of an item or user changes the fields
        that the file has a column for; an empty cell clears a field.

        Args:
            events: What users did.
            items: Descriptions of items.
            users: Descriptions of users.
            facts: Triples about items.
            map: Which column is what, where that cannot be inferred.
            progress: Told the source, how much of it is done, and how much there is.
            dry_run: Tell what would happen, and store nothing.
            replace: A row replaces all fields of its item or user.
            sync: Remove the items that are not in `items`.
            allow_loss: Go on where more than a tenth of the values of a field, or of the items,
                would go.

        Returns:
            What became of the rows of each kind, and what was understood of them.

        Raises:
            InputError: If a source cannot be understood at all, or would clear or remove more than
                a tenth.
        """
        sources = {"events": events, "items": items, "users": users, "facts": facts}
        if self._consent.required:
            self.host.sync()
        options = ImportOptions(dry_run, replace, sync, allow_loss)
        log = DryRunLog(self._log) if dry_run else self._log
        rejects = None if dry_run else self._rejects
        importer = Importer(log, self._consent, rejects=rejects)
        with collector_paused():
            report = ingest(importer, self._consent, sources, map, progress or ignore, options)
        if not dry_run:
            self.host.catch_up(report.version)
        if items is not None:
            is_followed = log is self._log and self.host.started
            state = self.host.state() if is_followed else None
            # Without a state that follows the log, the items are read alone.
            catalogue = item_catalogue(log, describes_sale) if state is None else state.catalogue
            report = dataclasses.replace(report, sellable=describe_sellable(catalogue))
        return report

    def imports(self) -> list[ImportRecord]:
        """Return the imports that stored anything, oldest first."""
        return self._log.imports()

    def undo(self, import_id: str = "") -> ImportRecord:
        """Take an import back: its rows do not count any more, and may be imported again.

        Items and users get back the fields that they had without it.

        Args:
            import_id: The id of the import, see `imports`; "" for the last one.

        Returns:
            The import.

        Raises:
            NotFoundError: If there is no such import.
            ConflictError: If it was taken back already.
        """
        record, result = self._log.retract_import(import_id)
        self.host.catch_up(result.version)
        return record

    def set_field_type(self, entity: str, field: str, type: str) -> int:  # noqa: A002
        """Give a field another type; its values in the log are read as that type from now on.

        Args:
            entity: Whose field it is: "item", "user" or "interaction".
            field: The name of the field.
            type: "text", "category", "set", "number", "time", "place" or "media".

        Returns:
            The version that holds the change.

        Raises:
            NotFoundError: If there is no such field.
            InputError: If there is no such type, or a value does not fit it.
        """
        version = self._log.retype_field(entity, field, cast("FieldType", type))
        self.host.catch_up(version)
        return version

    def retire(self, entity: str, name: str) -> int:
        """Stop to use a field or an event type.

        What the log has of it stays and is left out of everything; rows that bring the field are
        stored without it, rows of the event type are rejected. `restore` takes it back.

        Args:
            entity: Whose field it is: "item", "user" or "interaction"; "kind" for an event type.
            name: The name of the field or event type.

        Returns:
            The version that holds the change.

        Raises:
            NotFoundError: If there is no such name.
            ConflictError: If it is retired already.
        """
        version = self._log.retire(entity, name)
        self.host.catch_up(version)
        return version

    def restore(self, entity: str, name: str) -> int:
        """Use a retired field or event type again, with all that the log has of it.

        Args:
            entity: As for `retire`.
            name: The name of the field or event type.

        Returns:
            The version that holds the change.

        Raises:
            ConflictError: If it is not retired.
        """
        version = self._log.retire(entity, name, restore=True)
        self.host.catch_up(version)
        return version

    def retired(self) -> dict[str, list[str]]:
        """Return what is no longer used, by "item", "user", "interaction" and "kind"."""
        names: dict[str, list[str]] = {}
        for entity, name in sorted(self._log.schema().retired):
            names.setdefault(entity, []).append(name)
        return names

    def field_types(self) -> dict[str, dict[str, FieldType]]:
        """Return the types of all fields by entity ("item", "user", "interaction") and name."""
        types: dict[str, dict[str, FieldType]] = {"item": {}, "user": {}, "interaction": {}}
        for (entity, name), dtype in sorted(self._log.schema().types.items()):
            types.setdefault(entity, {})[name] = dtype
        return types

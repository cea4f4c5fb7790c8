"""From any file to the log and back out as a data set: ingest, consent, log, schema, dataset."""

__all__: list[str] = []

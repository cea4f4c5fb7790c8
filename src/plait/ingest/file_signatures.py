"""Recognises files that hold no rows which can be read: archives, workbooks, pages of a site."""

from __future__ import annotations

from plait.errors import InputError

__all__ = ["refuse_other_formats"]

_UNPACK = "unpack it and import the file inside; only .gz and .zst are read as they are"
_SHEET = "save the sheet as CSV (UTF-8), or read it with pandas and pass the frame"
_CONVERT = "write the rows as CSV, JSON lines or Parquet"

_WORKBOOK_PARTS = (b"[Content_Types].xml", b"xl/", b"docProps/", b"_rels/")
_OPEN_DOCUMENT = b"mimetypeapplication/vnd.oasis.opendocument"

_SIGNATURES = (
    (b"PK\x03\x04", "a ZIP archive", _UNPACK),
    (b"PK\x05\x06", "an empty ZIP archive", "export it again"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Excel workbook", _SHEET),
    (b"BZh", "compressed with bzip2", _UNPACK),
    (b"\xfd7zXZ\x00", "compressed with xz", _UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (b"Rar!\x1a\x07", "a RAR archive", _UNPACK),
    (b"\x04\x22\x4d\x18", "compressed with lz4", _UNPACK),
    (b"%PDF-", "a PDF document", _CONVERT),
    (b"SQLite format 3\x00", "an SQLite database", _CONVERT),
    (b"ARROW1", "an Arrow (Feather) file", "read it with polars.read_ipc and pass the frame"),
    (b"Obj\x01", "an Avro file", "read it with polars.read_avro and pass the frame"),
    (b"ORC", "an ORC file", _CONVERT),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file", _CONVERT),
    (b"\x93NUMPY", "a numpy array", _CONVERT),
    (
        b"version https://git-lfs.github.com/spec",
        "a pointer of Git LFS, not the file",
        "git lfs pull",
    ),
)
"""How formats begin, what they are called, and what to do."""

_TAR_AT, _TAR = 257, b"ustar"
_MARKUP = (b"<?xml", b"<!doctype html", b"<html")


def refuse_other_formats(head: bytes, name: str) -> None:
    """Check that a file is none of the formats that shops export and Plait does not read.

    Args:
        head: How the file begins, decompressed.
        name: What messages call it.

    Raises:
        InputError: If it is one of them: what it is, and what to do.
    """
    described = _describe(head)
    if described is not None:
        what, hint = described
        raise InputError(f"{name} is {what}", hint=hint)


def _describe(head: bytes) -> tuple[str, str] | None:
    if head.startswith(b"PK\x03\x04"):
        if any(head[30:].startswith(part) for part in _WORKBOOK_PARTS):
            return "an Excel workbook", _SHEET
        if head[30:].startswith(_OPEN_DOCUMENT):
            return "an OpenDocument spreadsheet", _SHEET
    for signature, what, hint in _SIGNATURES:
        if head.startswith(signature):
            return what, hint
    if head[_TAR_AT : _TAR_AT + len(_TAR)] == _TAR:
        return "a tar archive", _UNPACK
    text = head[:200].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith(_MARKUP):
        what = "XML" if text.startswith(b"<?xml") else "a page of HTML"
        return what, "export CSV, JSON lines or Parquet" + (
            "; a page comes where a download needs a login" if "HTML" in what else ""
        )
    return None

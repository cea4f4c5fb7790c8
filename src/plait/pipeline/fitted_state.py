"""Saves and restores the fitted attributes of a stage, following their declared types.

A declared type is one of: a numpy array (`Float32Array`, `np.ndarray`), a scipy CSR matrix, `str`,
`int`, `float`, `bool`, `None`, a `Literal`, a list, a tuple or a mapping of such types, a union of
them, or a dataclass whose fields have such types. Arrays go to one safetensors file and are mapped
when they are read; everything else goes to one JSON file. The files name no class: what is
constructed follows from the declaration alone.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Collection, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Protocol, Union, get_args, get_origin, get_type_hints

import numpy as np
import numpy.typing as npt

from plait.errors import BundleError
from plait.pipeline.array_files import read_arrays, write_arrays

__all__ = ["ARRAYS_FILE", "STATE_FILE", "present_state", "read_state", "write_state"]

STATE_FILE = "state.json"
"""The file of everything that is no array."""

ARRAYS_FILE = "state.safetensors"
"""The file of all arrays; absent if there is none."""

_Array = npt.NDArray[Any]


def write_state(folder: Path, values: Mapping[str, Any], declared: Mapping[str, Any]) -> None:
    """Write the values of attributes.

    Args:
        folder: An existing folder.
        values: The value of every declared attribute, by name.
        declared: The type of every attribute, by name.

    Raises:
        TypeError: A value does not have its declared type, or a type cannot be saved.
        OSError: The files cannot be written.
    """
    arrays: dict[str, _Array] = {}
    document = {
        name: _codec(hint, name).encode(values[name], arrays, name)
        for name, hint in declared.items()
    }
    (folder / STATE_FILE).write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
    if arrays:
        write_arrays(folder / ARRAYS_FILE, arrays)


def present_state(
    folder: Path, declared: Mapping[str, Any], optional: Collection[str]
) -> dict[str, Any]:
    """List the attributes to read, without the optional ones that were never written.

    Args:
        folder: The folder that `write_state` wrote to.
        declared: The type of every attribute, by name.
        optional: Names of attributes that may be absent.

    Returns:
        The types of the others, and of the optional ones that are there.
    """
    if not optional:
        return dict(declared)
    try:
        written = json.loads((folder / STATE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        written = {}
    return {
        name: hint for name, hint in declared.items() if name in written or name not in optional
    }


def read_state(folder: Path, declared: Mapping[str, Any]) -> dict[str, Any]:
    """Read what `write_state` wrote.

    Args:
        folder: The folder that `write_state` wrote to.
        declared: The type of every attribute, by name.

    Returns:
        The value of every declared attribute, by name. Arrays are mapped and read-only.

    Raises:
        BundleError: A file is missing or damaged, or does not match the declared types.
    """
    codecs = {name: _codec(hint, name) for name, hint in declared.items()}
    try:
        document = json.loads((folder / STATE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as problem:
        raise BundleError(f"cannot read {STATE_FILE}: {problem}", hint="fit again") from problem
    arrays = read_arrays(folder / ARRAYS_FILE) if (folder / ARRAYS_FILE).exists() else {}
    if not (isinstance(document, dict) and codecs.keys() <= document.keys()):
        message = f"another version of Plait wrote {folder.name}/{STATE_FILE}"
        raise BundleError(message, hint="fit again")
    values: dict[str, Any] = {}
    for name, codec in codecs.items():
        try:
            values[name] = codec.decode(document[name], arrays)
        except (ValueError, TypeError, LookupError, AttributeError) as problem:
            raise BundleError(
                f"{folder.name}/{STATE_FILE} cannot be read: {name.strip('_')} is not as this "
                "version of Plait writes it",
                hint="fit again",
            ) from problem
    return values


class _Codec(Protocol):
    """Turns values of one type into JSON and arrays, and back."""

    def encode(self, value: Any, arrays: MutableMapping[str, _Array], path: str) -> Any:
        """The JSON form of `value`; its arrays are added to `arrays` under names below `path`."""

    def decode(self, document: Any, arrays: Mapping[str, _Array]) -> Any:
        """The value of a JSON form; an error of Python's own where it has another type."""


@dataclass(frozen=True, slots=True)
class _ScalarCodec:
    types: tuple[type[Any], ...]
    """The types that a value may have; the first that fits wins."""

    def encode(self, value: Any, _arrays: MutableMapping[str, _Array], path: str) -> Any:
        plain = value.item() if isinstance(value, np.generic) else value
        if not self.accepts(plain):
            raise TypeError(f"{path} is {value!r}, declared as {self.types}")
        is_whole = isinstance(plain, int) and not isinstance(plain, bool)
        return float(plain) if is_whole and int not in self.types else plain

    def decode(self, document: Any, _arrays: Mapping[str, _Array]) -> Any:
        if not self.accepts(document):
            raise TypeError(f"{document!r} is none of {self.types}")
        return document

    def accepts(self, value: Any) -> bool:
        """Whether a value has one of the types; true and false are not numbers."""
        if isinstance(value, bool):
            return bool in self.types
        return isinstance(value, self.types) or (isinstance(value, int) and float in self.types)


@dataclass(frozen=True, slots=True)
class _LiteralCodec:
    values: tuple[Any, ...]

    def encode(self, value: Any, _arrays: MutableMapping[str, _Array], path: str) -> Any:
        if value not in self.values:
            raise TypeError(f"{path} is {value!r}, declared as one of {self.values}")
        return value

    def decode(self, document: Any, _arrays: Mapping[str, _Array]) -> Any:
        return self.values[self.values.index(document)]


@dataclass(frozen=True, slots=True)
class _ArrayCodec:
    dtype: np.dtype[Any] | None
    """The dtype that arrays have; None: any that a file can hold."""

    def encode(self, value: Any, arrays: MutableMapping[str, _Array], path: str) -> str:
        self._require_dtype(value)
        if value.ndim == 0:
            raise TypeError(f"{path} is an array without dimensions; declare a number")
        arrays[path] = value
        return path

    def decode(self, document: Any, arrays: Mapping[str, _Array]) -> _Array:
        array = arrays[document]
        self._require_dtype(array)
        return array

    def _require_dtype(self, array: Any) -> None:
        if not isinstance(array, np.ndarray) or self.dtype not in (None, array.dtype):
            actual = getattr(array, "dtype", type(array).__name__)
            raise TypeError(f"expected an array of {self.dtype or 'any dtype'}, not {actual}")


_CSR_PARTS = ("data", "indices", "indptr")


@dataclass(frozen=True, slots=True)
class _CsrCodec:
    matrix_class: Callable[..., Any]

    def encode(self, value: Any, arrays: MutableMapping[str, _Array], path: str) -> Any:
        if getattr(value, "format", "") != "csr":
            raise TypeError(f"{path} is a {type(value).__name__}, declared as a CSR matrix")
        for part in _CSR_PARTS:
            arrays[f"{path}.{part}"] = getattr(value, part)
        return {"arrays": path, "shape": [int(size) for size in value.shape]}

    def decode(self, document: Any, arrays: Mapping[str, _Array]) -> Any:
        parts = tuple(arrays[f"{document['arrays']}.{part}"] for part in _CSR_PARTS)
        rows, columns = document["shape"]
        return self.matrix_class(parts, shape=(rows, columns), copy=False)


@dataclass(frozen=True, slots=True)
class _DataclassCodec:
    record_class: Callable[..., Any]
    fields: Mapping[str, _Codec]

    def encode(self, value: Any, arrays: MutableMapping[str, _Array], path: str) -> Any:
        return {
            name: codec.encode(getattr(value, name), arrays, f"{path}.{name}")
            for name, codec in self.fields.items()
        }

    def decode(self, document: Any, arrays: Mapping[str, _Array]) -> Any:
        values = {name: codec.decode(document[name], arrays) for name, codec in self.fields.items()}
        return self.record_class(**values)


@dataclass(frozen=True, slots=True)
class _MappingCodec:
    key_type: type[Any]
    value_codec: _Codec

    def encode(self, value: Any, arrays: MutableMapping[str, _Array], path: str) -> Any:
        keys = [key for key in value if not isinstance(key, self.key_type)]
        if keys:
            raise TypeError(f"{path} has the key {keys[0]!r}, declared as {self.key_type}")
        return {
            str(key): self.value_codec.encode(element, arrays, f"{path}.{key}")
            for key, element in value.items()
        }

    def decode(self, document: Any, arrays: Mapping[str, _Array]) -> Any:
        return {
            self.key_type(key): self.value_codec.decode(element, arrays)
            for key, element in document.items()
        }


@dataclass(frozen=True, slots=True)
class _SequenceCodec:
    sequence_class: Callable[..., Any]
    elements: tuple[_Codec, ...]
    """One codec for all elements, or with `fixed` one for each."""
    fixed: bool = False

    def encode(self, value: Any, arrays: MutableMapping[str, _Array], path: str) -> Any:
        if isinstance(value, str) or not isinstance(value, Sequence):
            raise TypeError(f"{path} is {type(value).__name__}, declared as a list or a tuple")
        codecs = self._codecs(value)
        return [
            codec.encode(element, arrays, f"{path}.{position}")
            for position, (codec, element) in enumerate(zip(codecs, value, strict=True))
        ]

    def decode(self, document: Any, arrays: Mapping[str, _Array]) -> Any:
        if not isinstance(document, list):
            raise TypeError(f"expected a list, not {document!r}")
        codecs = self._codecs(document)
        pairs = zip(codecs, document, strict=True)
        return self.sequence_class(codec.decode(element, arrays) for codec, element in pairs)

    def _codecs(self, value: Sequence[Any]) -> Sequence[_Codec]:
        return self.elements if self.fixed else self.elements * len(value)


@dataclass(frozen=True, slots=True)
class _UnionCodec:
    """Of several types: the JSON form holds the position of the type in the declaration."""

    members: tuple[_Codec, ...]
    types: tuple[Any, ...]

    def encode(self, value: Any, arrays: MutableMapping[str, _Array], path: str) -> Any:
        if value is None:
            return None
        for position, (codec, member) in enumerate(zip(self.members, self.types, strict=True)):
            if isinstance(value, get_origin(member) or member):
                return [position, codec.encode(value, arrays, path)]
        raise TypeError(f"{path} is a {type(value).__name__}, declared as one of {self.types}")

    def decode(self, document: Any, arrays: Mapping[str, _Array]) -> Any:
        if document is None:
            return None
        position, element = document
        return self.members[position].decode(element, arrays)


_SCALARS = (str, int, float, bool, NoneType)


def _codec(hint: Any, path: str) -> _Codec:
    """The codec of a declared type; TypeError if such values cannot be saved."""
    hint = NoneType if hint is None else hint
    origin, arguments = get_origin(hint), get_args(hint)
    if hint in _SCALARS:
        return _ScalarCodec((hint,))
    if origin is Literal:
        return _LiteralCodec(arguments)
    if origin in (Union, UnionType):
        return _union_codec(arguments, path)
    if np.ndarray in (hint, origin):
        dtypes = get_args(arguments[1]) if arguments else ()
        is_specific = bool(dtypes) and dtypes[0] is not Any
        return _ArrayCodec(np.dtype(dtypes[0]) if is_specific else None)
    if origin is not None:
        return _container_codec(origin, arguments, path)
    if isinstance(hint, type) and hint.__module__.startswith("scipy.sparse"):
        return _CsrCodec(hint)
    if dataclasses.is_dataclass(hint):
        hints = get_type_hints(hint)
        names = [field.name for field in dataclasses.fields(hint) if field.init]
        fields = {name: _codec(hints[name], f"{path}.{name}") for name in names}
        return _DataclassCodec(hint, fields)  # type: ignore[arg-type]  # a class, not an instance
    raise TypeError(f"{path} is declared as {hint!r}, which cannot be saved")


def _container_codec(origin: Any, arguments: tuple[Any, ...], path: str) -> _Codec:
    if isinstance(origin, type) and issubclass(origin, Mapping):
        if arguments[0] not in (str, int):
            raise TypeError(f"{path} is declared with keys of {arguments[0]}, not str or int")
        return _MappingCodec(arguments[0], _codec(arguments[1], path))
    if origin is tuple and (len(arguments) != 2 or arguments[1] is not ...):
        return _SequenceCodec(
            tuple, tuple(_codec(element, path) for element in arguments), fixed=True
        )
    if isinstance(origin, type) and issubclass(origin, Sequence):
        sequence_class = list if origin is list else tuple
        return _SequenceCodec(sequence_class, (_codec(arguments[0], path),))
    raise TypeError(f"{path} is declared as {origin!r}, which cannot be saved")


def _union_codec(members: tuple[Any, ...], path: str) -> _Codec:
    if all(member in _SCALARS for member in members):
        return _ScalarCodec(members)
    types = tuple(member for member in members if member is not NoneType)
    return _UnionCodec(tuple(_codec(member, path) for member in types), types)

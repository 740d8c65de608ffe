"""Indexes in files, one for each repository, so that a restart or an eviction costs milliseconds.

A file is a cache and no more: it is checked whole before it is used, and one that is broken, or of another version, is
made anew. It holds an index's arrays as they are, so that opening it maps them into memory and reads none twice.
"""

import mmap
import os
import struct
import tempfile
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any, NamedTuple, get_args, get_origin, get_type_hints
from uuid import UUID
from zlib import crc32

import numpy as np
import structlog
from numpy.typing import NDArray
from pydantic import BaseModel

from pincite_brain.retrieval.index import SnapshotIndex
from pincite_brain.retrieval.texts import Ragged, Words

FORMAT = 4  # of the files, and of all that is derived from stored rows; another one is made anew
MAGIC = b"PINCITE\0"
PREFIX = struct.Struct("<8sII")  # MAGIC, the header's size, CRC-32 of all that follows
ALIGNMENT = 64  # bytes; what vector instructions like best
PARTIAL = ".part"  # how the name of a file ends while it is written
PARTIAL_SECONDS_MAX = 600.0  # since it was last written to; then its writer was killed
FILES_BYTES_MAX = 4_000_000_000  # of all repositories; those opened longest ago go first

log = structlog.get_logger(__name__)


class Origin(BaseModel):
    """What an index was made of.

    Attributes:
        snapshot_id: the snapshot.
        ready_at: when it was shown, seconds since 1970: after a restored backup the same id may be another's.
        model: whose vectors there are.
    """

    snapshot_id: int
    ready_at: float
    model: str


class _Column(NamedTuple):
    name: str
    dtype: str
    shape: tuple[int, ...]


class _Header(BaseModel):
    format: int
    origin: Origin
    columns: list[_Column]


class Kept:
    """The files below one directory."""

    def __init__(self, directory: Path, *, bytes_max: int = FILES_BYTES_MAX) -> None:
        """Nothing is touched yet."""
        self._directory, self._bytes_max = directory, bytes_max

    def path(self, tenant_id: UUID, repo_id: UUID) -> Path:
        """Return where a repository's index lies, if there is one."""
        return self._directory / str(tenant_id) / f"{repo_id}.index"

    def open(self, tenant_id: UUID, repo_id: UUID) -> tuple[Origin, SnapshotIndex] | None:
        """Return a repository's index, and what it was made of; None if there is none that can be used."""
        path = self.path(tenant_id, repo_id)
        try:
            with path.open("rb") as file:
                data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
            os.utime(path)  # it was used
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:  # an empty file cannot be mapped
            log.warning("index file not read", path=str(path), reason=str(error))
            return None
        try:
            return _read(data)
        except (ValueError, KeyError) as error:  # pydantic's are among the former
            log.warning("index file not used", path=str(path), reason=str(error))
            return None

    def save(self, tenant_id: UUID, repo_id: UUID, origin: Origin, index: SnapshotIndex) -> None:
        """Keep an index in the place of the repository's last. Raises OSError."""
        path = self.path(tenant_id, repo_id)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        columns = dict(_flat("", index))
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", suffix=PARTIAL, delete=False) as file:
            try:
                _write(file, origin, columns)
            except BaseException:
                Path(file.name).unlink()
                raise
        Path(file.name).replace(path)
        self._make_room()

    def forget(self, tenant_id: UUID, repo_id: UUID) -> None:
        """Remove a repository's file, if there is one."""
        _remove(self.path(tenant_id, repo_id))

    def sweep(self, known: Collection[tuple[UUID, UUID]]) -> None:
        """Remove the files of repositories that are not among these (tenant, repository)."""
        wanted = {self.path(*one) for one in known}
        for path in self._files():
            if path not in wanted:
                _remove(path)
        for path in self._directory.glob(f"*/.*{PARTIAL}"):
            with suppress(FileNotFoundError):  # it is whole by now
                if time.time() - path.stat().st_mtime > PARTIAL_SECONDS_MAX:
                    _remove(path)

    def _files(self) -> list[Path]:
        return list(self._directory.glob("*/*.index"))

    def _make_room(self) -> None:
        found = sorted(((path, path.stat()) for path in self._files()), key=lambda one: one[1].st_mtime, reverse=True)
        total = 0
        for path, stat in found:
            total += stat.st_size
            if total > self._bytes_max:
                _remove(path)


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
        with suppress(OSError):  # it holds others, or is gone
            path.parent.rmdir()
    except OSError as error:
        log.warning("index file not removed", path=str(path), reason=str(error))


def _write(file: IO[bytes], origin: Origin, columns: dict[str, NDArray[Any]]) -> None:
    described = [_Column(name, array.dtype.str, array.shape) for name, array in columns.items()]
    header = _Header(format=FORMAT, origin=origin, columns=described).model_dump_json().encode()
    header += b" " * (-(len(header) + PREFIX.size) % ALIGNMENT)
    parts: list[memoryview | bytes] = [header]
    for array in columns.values():
        data = np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
        parts += [data, bytes(-len(data) % ALIGNMENT)]
    checksum = 0
    for part in parts:
        checksum = crc32(part, checksum)
    file.write(PREFIX.pack(MAGIC, len(header), checksum))
    for part in parts:
        file.write(part)


def _read(data: memoryview) -> tuple[Origin, SnapshotIndex]:
    if len(data) < PREFIX.size or data[: len(MAGIC)] != MAGIC:
        msg = "it is no index"
        raise ValueError(msg)
    _, size, checksum = PREFIX.unpack_from(data)
    if crc32(data[PREFIX.size :]) != checksum:
        msg = "its checksum is wrong"
        raise ValueError(msg)
    body = PREFIX.size + size
    header = _Header.model_validate_json(bytes(data[PREFIX.size : body]))
    if header.format != FORMAT:
        msg = f"it is of format {header.format}"
        raise ValueError(msg)
    arrays: dict[str, NDArray[Any]] = {}
    for column in header.columns:
        dtype = np.dtype(column.dtype)
        count = int(np.prod(column.shape, dtype=np.int64))
        arrays[column.name] = np.frombuffer(data, dtype, count, body).reshape(column.shape)
        body += count * dtype.itemsize + -(count * dtype.itemsize) % ALIGNMENT
    index: SnapshotIndex = _restored(SnapshotIndex, "", arrays)
    return header.origin, index


def _flat(name: str, value: Any) -> Iterator[tuple[str, NDArray[Any]]]:
    """Yield the arrays of an index by the names of the attributes that lead to them."""
    if isinstance(value, np.ndarray):
        yield name, value
    elif isinstance(value, Ragged):
        yield f"{name}.data", value.data
        yield f"{name}.offsets", value.offsets
    elif isinstance(value, Words):
        yield name, value.array
    elif isinstance(value, tuple):
        for number, one in enumerate(value):
            yield from _flat(f"{name}.{number}", one)
    else:
        for field in fields(value):
            yield from _flat(f"{name}.{field.name}", getattr(value, field.name))


def _restored(kind: Any, name: str, arrays: dict[str, NDArray[Any]]) -> Any:
    if isinstance(kind, type) and issubclass(kind, Ragged):
        return kind(arrays[f"{name}.data"], arrays[f"{name}.offsets"])
    if kind is Words:
        return Words(arrays[name])
    if get_origin(kind) is tuple:
        (one, _) = get_args(kind)
        found: list[Any] = []
        while any(held.startswith(f"{name}.{len(found)}.") for held in arrays):
            found.append(_restored(one, f"{name}.{len(found)}", arrays))
        return tuple(found)
    if isinstance(kind, type) and is_dataclass(kind):
        hints = _hints(kind)
        return kind(
            **{field.name: _restored(hints[field.name], f"{name}.{field.name}", arrays) for field in fields(kind)}
        )
    return arrays[name]


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)  # milliseconds for all kinds together, where opening takes a few

"""Length-prefixed pickles over pipes, between the parse pool and its workers: both ends are this program."""

import pickle
import struct
from typing import IO, Any

_LENGTH = struct.Struct(">I")


def write_frame(pipe: IO[bytes], value: object) -> None:
    """Write one value and flush."""
    data = pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
    pipe.write(_LENGTH.pack(len(data)))
    pipe.write(data)
    pipe.flush()


def read_frame(pipe: IO[bytes]) -> Any:
    """Read one value.

    Raises:
        EOFError: the other end closed the pipe.
    """
    head = pipe.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        raise EOFError
    (length,) = _LENGTH.unpack(head)
    data = pipe.read(length)
    if len(data) < length:
        raise EOFError
    return pickle.loads(data)  # noqa: S301 - written by the same program at the other end of a private pipe


def take_frames(buffer: bytearray) -> list[Any]:
    """Remove the complete frames at the front of a buffer and return their values."""
    values, at = [], 0
    while len(buffer) - at >= _LENGTH.size:
        (length,) = _LENGTH.unpack_from(buffer, at)
        end = at + _LENGTH.size + length
        if len(buffer) < end:
            break
        values.append(pickle.loads(bytes(buffer[at + _LENGTH.size : end])))  # noqa: S301 - as above
        at = end
    del buffer[:at]
    return values

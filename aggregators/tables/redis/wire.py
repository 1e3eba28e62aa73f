"""Redis commands of many arguments as bytes: for thousands of fields several times as fast as redis-py packs them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Packed(NamedTuple):
    """Commands as they go over the wire."""

    number: int
    parts: list[bytes]
    """To be sent one after the other."""


class _Heads(dict[int, bytes]):
    """What ends the argument before and announces one of a given length."""

    def __missing__(self, length: int) -> bytes:
        return b"\r\n$%d\r\n" % length


_HEADS = _Heads((length, b"\r\n$%d\r\n" % length) for length in range(4_096))
_STARTS = [b"*%d\r\n" % count for count in range(4_096)]


def with_lengths(arguments: Sequence[bytes]) -> list[bytes]:
    """Put before each argument what announces it, so that `append` can take any stretch of them."""
    parts: list[bytes] = [b""] * (2 * len(arguments))
    parts[::2] = list(map(_HEADS.__getitem__, map(len, arguments)))
    parts[1::2] = arguments
    return parts


def with_values(names: Sequence[bytes], values: Sequence[bytes]) -> list[bytes]:
    """Put after each name, as `with_lengths` gives them, its value in the same form."""
    parts: list[bytes] = [b""] * (4 * len(values))
    parts[::4] = names[::2]
    parts[1::4] = names[1::2]
    parts[2::4] = list(map(_HEADS.__getitem__, map(len, values)))
    parts[3::4] = values
    return parts


def beginning(name: str, key: str) -> bytes:
    """Give a command's name and its first argument, for `append`."""
    return b"$%d\r\n%b\r\n$%d\r\n%b" % (len(name), name.encode(), len(key.encode()), key.encode())


def append(parts: list[bytes], begun: bytes, arguments: Sequence[bytes]) -> None:
    """Append a command to the parts of others.

    Args:
        parts: what is to be sent.
        begun: its `beginning`.
        arguments: all others, as `with_lengths` gives them.
    """
    count = 2 + len(arguments) // 2
    parts.append(_STARTS[count] if count < len(_STARTS) else b"*%d\r\n" % count)
    parts.append(begun)
    parts += arguments
    parts.append(b"\r\n")

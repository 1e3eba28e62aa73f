"""Vectors of exact numbers with one element a period, and their ratios."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction


class Vector:
    """Python integers, one a period: exact, whatever is multiplied. Arithmetic goes element by element."""

    __slots__ = ("_values",)

    def __init__(self, values: Iterable[int]) -> None:
        """Take the elements."""
        self._values = tuple(values)

    def __iter__(self) -> Iterator[int]:
        """Iterate over the elements."""
        return iter(self._values)

    def __getitem__(self, position: int) -> int:
        """Give one element."""
        return self._values[position]

    def __add__(self, other: Vector) -> Vector:
        """Add element by element."""
        return Vector([a + b for a, b in zip(self._values, other._values, strict=True)])

    def __sub__(self, other: Vector) -> Vector:
        """Subtract element by element."""
        return Vector([a - b for a, b in zip(self._values, other._values, strict=True)])

    def __mul__(self, other: Vector | int) -> Vector:
        """Multiply element by element, or all by one number."""
        if isinstance(other, int):
            return Vector([a * other for a in self._values])
        return Vector([a * b for a, b in zip(self._values, other._values, strict=True)])

    def __neg__(self) -> Vector:
        """Turn the signs."""
        return Vector([-a for a in self._values])

    def __repr__(self) -> str:
        """Show the elements."""
        return f"Vector({list(self._values)!r})"


def ratio(parts: Iterable[int], wholes: Iterable[int]) -> Iterator[Fraction | None]:
    """Divide exactly, element by element; None where there is nothing to divide by."""
    return (Fraction(part, whole) if whole else None for part, whole in zip(parts, wholes, strict=True))


def one_ratio(part: int, whole: int) -> Iterator[tuple[tuple[str, ...], Fraction]]:
    """Give the sample of an exact ratio without labels, none where there is nothing to divide by."""
    if whole:
        yield (), Fraction(part, whole)

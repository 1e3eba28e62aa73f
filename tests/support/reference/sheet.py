"""What the metrics are written on."""

from fractions import Fraction

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], Fraction | float | int]


class Sheet:
    """Samples by name and sorted labels."""

    def __init__(self) -> None:
        """Begin empty."""
        self.samples: Samples = {}

    def put(self, name: str, value: Fraction | float, **labels: str) -> None:
        """Write a sample, once."""
        key = (name, tuple(sorted(labels.items())))
        assert key not in self.samples, f"{key} twice"
        self.samples[key] = value

    def put_open(self, name: str, value: Fraction | float, **labels: str) -> None:
        """Write a sample of an open label set, which is there only where it is not 0."""
        if value:
            self.put(name, value, **labels)

    def ratio(self, name: str, part: Fraction | int, whole: Fraction | int, **labels: str) -> None:
        """Write a ratio, or nothing where there is nothing to divide by."""
        if whole:
            self.put(name, Fraction(part) / Fraction(whole), **labels)

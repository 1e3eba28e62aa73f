"""The page that lists the worked examples: `python -m tests.acceptance.worked_examples.page` writes it anew."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from tests.acceptance.worked_examples import EXAMPLES, Example
from tests.acceptance.worked_examples.example import Number

PAGE = Path(__file__).parents[3] / "docs/explanation/worked-examples.md"
HEAD = """\
# Worked examples

Growth metrics have no standard: tools and textbooks share names and differ in what they count. So the product is held
to what they publish: each example below is acted out in events, sent with `growthgauge send FILE --wait`, and read with
`growthgauge report --as-of` (`tests/acceptance/test_worked_examples.py`). Where a source comes to another number, ours
stays what the definition of the metric says, and the last column tells why. *Figures ours* marks a page that defines
without figures, or with others.

Unless a row says otherwise, an example of May and June is asked for on 30 June; amounts are in US dollars. The years
that the tests use mean nothing: each example has one to itself. `strict` marks the examples that run with
`LAPSE_GRACE_DAYS=0` and `PURCHASE_LAPSE_DAYS=90` and not with the defaults.

| example | source | what it says | what growthgauge gives | where the source differs |
| --- | --- | --- | --- | --- |
"""


def page() -> str:
    """Give the page."""
    return HEAD + "".join(f"| {' | '.join(_row(example))} |\n" for example in EXAMPLES)


def _row(example: Example) -> tuple[str, ...]:
    settings = "".join(f", `{name.upper()}`" for name in example.report)
    mark = (
        f" ({example.company}{settings})" if example.company != "usual" else f" (with{settings[1:]})" * bool(settings)
    )
    given = []
    for day, samples in example.expected.items():
        shown = "<br>".join(f"`growth_{sample}` {_written(value)}" for sample, value in samples.items())
        following = " of the year after" if day.year > example.year else ""
        only = len(example.expected) == 1 and (day.month, day.day) == (6, 30)
        given.append(shown if only else f"{day.day} {day:%B}{following}:<br>{shown}")
    says = " ".join(example.says.split()) + " (Figures ours.)" * example.ours
    source = f"[{example.source.title}]({example.source.address})"
    return f'<a id="{example.name}"></a>`{example.name}`{mark}', source, says, "<br>".join(given), example.differs


def _written(value: Number) -> str:
    if value is None:
        return "left out"
    if isinstance(value, Fraction) and value.denominator != 1 and 10**6 % value.denominator:
        return f"{value.numerator}/{value.denominator}" if value.numerator < 1000 else f"{float(value):.6f}"
    return f"{float(value):.6f}".rstrip("0").rstrip(".")


if __name__ == "__main__":
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page())

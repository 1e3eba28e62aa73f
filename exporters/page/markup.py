"""Elements of HTML, in which every text is escaped: what an event says is never markup."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import TypeAlias

_VOID = {"input", "link", "meta", "rect"}


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


Child: TypeAlias = "str | Iterable[Child] | None"
"""Text, which is escaped; markup, which is not; several of them; or nothing."""


def element(name: str, /, *children: Child, **attributes: str | int | bool | None) -> Html:
    """Make an element.

    Args:
        name: the element's.
        children: what stands in it.
        attributes: by name, with dashes written as underscores (`class_`, `aria_label`); True for one without a value,
            None and False leave it out.
    """
    told = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{escape(str(value))}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in _VOID:
        return Html(f"<{name}{told}>" if name != "rect" else f"<{name}{told}/>")
    return Html(f"<{name}{told}>{joined(*children)}</{name}>")


def joined(*children: Child) -> Html:
    """Put texts and markup one after the other."""
    found: list[str] = []
    for child in children:
        if isinstance(child, Html):
            found.append(child)
        elif isinstance(child, str):
            found.append(escape(child))
        elif child is not None:
            found.append(joined(*child))
    return Html("".join(found))


def table(head: Iterable[Child], rows: Iterable[Iterable[Child]], caption: str, *, class_: str | None = None) -> Html:
    """Make a table that scrolls by itself where it is too wide; each row's first cell is its head.

    A cell is a text, or a `td` of one's own.
    """

    def line(cells: Iterable[Child]) -> Html:
        first, *others = cells
        return element("tr", element("th", first, scope="row"), *map(_cell, others))

    return element(
        "div",
        element(
            "table",
            element("caption", caption),
            element("thead", element("tr", [element("th", each, scope="col") for each in head])),
            element("tbody", map(line, rows)),
            class_=class_,
        ),
        class_="scroll",
        tabindex="0",
        role="group",
        aria_label=caption,
    )


def _cell(content: Child) -> Html:
    if isinstance(content, Html) and content.startswith("<td"):
        return content
    return element("td", content)


def bar(share: float, class_: str = "") -> Html:
    """Draw a share from 0 to 1 as a bar, for the eye alone: the number stands beside it."""
    return span_bar(0, share, class_)


def span_bar(start: float, end: float, class_: str = "") -> Html:
    """Draw a bar from one share of the width to another, in whichever order they are."""
    low, high = sorted((max(0.0, min(1.0, start)), max(0.0, min(1.0, end))))
    drawn = element("rect", x=f"{100 * low:.2f}%", width=f"{max(0.4, 100 * (high - low)):.2f}%", height="100%")
    return element("svg", drawn, class_=f"bar {class_}".rstrip(), aria_hidden="true", focusable="false")

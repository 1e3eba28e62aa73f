"""What a metric's docstring tells: its help, its definition and its notes."""

from __future__ import annotations

from aggregators.metrics.family import metric


def test_a_docstring_tells_all_of_a_metric():
    """The first paragraph alone is the help; notes go over several lines."""

    @metric("period", unit="ratio")
    def growth_example_ratio(_reading):
        """Parts per whole.

        Parts are halves,
        wholes are not.

        Source: [A page], which says:
            so.
        Differs: Example: of
            others.
        Example: 1 / 2 = 0.5.
        """
        return iter(())

    found = growth_example_ratio
    assert (found.name, found.help, found.labels) == ("growth_example_ratio", "Parts per whole.", ("period",))
    assert found.definition == "Parts are halves, wholes are not."
    assert found.source == "[A page], which says: so."
    assert found.differs == "Example: of others."
    assert found.example == "1 / 2 = 0.5."


def test_a_help_alone_is_a_metric_too():
    """Notes that are not there are empty, and an info is of that type."""

    @metric(unit="info")
    def growth_example_info(_reading):
        """One line."""
        return iter(())

    found = growth_example_info
    assert (found.help, found.definition, found.source, found.differs, found.example) == ("One line.", "", "", "", "")
    assert found.type == "info"

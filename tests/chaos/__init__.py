"""Faults of every kind on real servers while events come in, and afterwards the same numbers as the reference's."""

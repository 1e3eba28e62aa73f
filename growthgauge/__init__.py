"""Command line, settings and wiring of growthgauge."""

__version__ = "0.1.0"

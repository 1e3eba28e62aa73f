"""Everything that goes out: what the tables hold, as Prometheus metrics and as reports."""

"""Everything on one machine: the processes that `growthgauge up` runs."""

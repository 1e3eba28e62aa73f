"""What growthgauge costs: rates beside other ways to read the same topic, and the time until an event is visible."""

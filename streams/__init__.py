"""Everything that comes in: bytes from Kafka become events, and a fetched batch becomes one transaction."""

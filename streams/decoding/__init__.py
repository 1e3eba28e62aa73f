"""Kafka's bytes to events: no Kafka client, no Faust."""

"""The tables in Redis, one server or a Redis Cluster."""

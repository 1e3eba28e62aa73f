"""The worker's process: partitions to shards, batches to commits, health."""

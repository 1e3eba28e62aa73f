"""What the command line puts into Kafka, and waits for."""

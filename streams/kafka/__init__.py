"""What speaks to the brokers: reading by the batch, producing, topics, dead letters."""

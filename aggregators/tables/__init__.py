"""Where ledgers and facts are stored: the one door to it, and the stores behind that door."""

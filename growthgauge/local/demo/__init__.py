"""A demo company: two years of believable history from one seed, then life as it goes on."""

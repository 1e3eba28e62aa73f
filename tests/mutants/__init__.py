"""Mutations of the product, one at a time, and the tests that have to notice each: `make mutants`."""

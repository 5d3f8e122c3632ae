"""Malformed input by kind: each module makes inputs of one kind, from a seeded random generator."""

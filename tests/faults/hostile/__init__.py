"""Attacks by name: each module yields the bytes of connections that a stranger may open."""

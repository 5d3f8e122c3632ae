"""Durable jobs: the one room that knows DBOS."""

"""Fixtures of several folders."""

from tests.support.postgres import postgres, postgres_server
from tests.support.tensorflow import models, tensorflow

__all__ = ["models", "postgres", "postgres_server", "tensorflow"]

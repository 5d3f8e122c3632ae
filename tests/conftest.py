"""Fixtures of several folders."""

from tests.support.tensorflow import models, tensorflow

__all__ = ["models", "tensorflow"]

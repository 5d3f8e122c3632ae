"""Why the bytes of a data set are not read on."""

from __future__ import annotations


class UnreadableError(ValueError):
    """The bytes are no elements; the text says where."""


class CutOffError(UnreadableError):
    """The bytes end within an element."""


class ExcessError(UnreadableError):
    """There is more than is read of any object; the text names the limit."""

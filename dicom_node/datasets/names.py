"""Which class a segment is of, by name: people's spelling differs, a card's class is one word or few."""

from __future__ import annotations

from collections.abc import Sequence


def class_of(segment: str, classes: Sequence[str]) -> str | None:
    """Return the class whose name stands last in a segment's name: "right kidney tumour" is tumour, not kidney."""
    said = _spelt(segment)
    ends = {name: said.rfind(_spelt(name)) + len(name) for name in classes if _spelt(name) in said}
    return max(ends, key=lambda name: (ends[name], len(name))) if ends else None


def kind_of(name: str) -> str:
    """Return a class's last word: both of "image-left lung" and "image-right lung" are lung."""
    return _spelt(name).split()[-1]


def _spelt(name: str) -> str:
    return name.lower().replace("tumor", "tumour")

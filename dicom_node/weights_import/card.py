"""What the catalogue says of imported weights."""

from __future__ import annotations

import dataclasses
import datetime
from pathlib import Path

from dicom_node.weights_import.catalog_file import Value


@dataclasses.dataclass(frozen=True, slots=True)
class Card:
    """What the catalogue says to people about imported weights."""

    licence: str = "not stated; ask the authors of the weights"
    source: str = "imported checkpoint"
    intended_use: str = "Research. Not a medical device."

    def values(self, recipe: str, file: Path, day: datetime.date) -> dict[str, Value]:
        """Return the entry's table but for its file and SHA-256."""
        return {"recipe": recipe, **dataclasses.asdict(self), "imported": day, "imported_from": file.name}

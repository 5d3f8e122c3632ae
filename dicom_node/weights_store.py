"""weights/catalog.toml: which weight files there are, what made them, and whether they are still what they were."""

from __future__ import annotations

import dataclasses
import hashlib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dicom_node.errors import WeightsError

CATALOG = "catalog.toml"


@dataclasses.dataclass(frozen=True, slots=True)
class Weights:
    """One catalogue entry: a file of tensors, the recipe that reads it, and its card."""

    name: str
    path: Path
    sha256: str  # 64 hex digits, as the catalogue states it
    recipe: str
    card: Mapping[str, Any]  # licence, source, intended use, measured quality: shown to people

    def verify(self) -> None:
        """Raise WeightsError unless the file is there and its SHA-256 is the catalogue's."""
        if not self.path.is_file():
            raise WeightsError(f"weights {self.name!r}: no file {self.path}")
        with self.path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != self.sha256:
            problem = f"has SHA-256 {found}, the catalogue says {self.sha256}"
            raise WeightsError(f"weights {self.name!r}: {self.path} {problem}")


def read_catalog(folder: Path) -> dict[str, Weights]:
    """Return the entries of folder/catalog.toml by name; an absent catalogue has none."""
    path = folder / CATALOG
    if not path.is_file():
        return {}
    try:
        entries = tomllib.loads(path.read_text())
        return {name: _entry(folder, name, values) for name, values in entries.items()}
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise WeightsError(f"{path}: {error!r}") from error


def _entry(folder: Path, name: str, values: Mapping[str, Any]) -> Weights:
    card = {key: value for key, value in values.items() if key not in ("file", "sha256", "recipe")}
    return Weights(name, folder / values["file"], values["sha256"], values["recipe"], card)

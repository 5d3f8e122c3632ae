"""A weights folder's catalog.toml: which files there are, what made them, and whether they are still what they were.

An entry's `file` ends in `.safetensors` (tensors that a pipeline loads into its PyTorch network), `.h5` (Keras 2's
legacy weights of a published recipe) or `.keras`, or it is a SavedModel's folder. The last three TensorFlow runs, in a
process of its own; a pipeline sees them as `Weights.network`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dicom_node import shipped
from dicom_node.errors import WeightsError

CATALOG = "catalog.toml"
KERAS_WEIGHTS: Final = ".h5"
KERAS_MODEL: Final = ".keras"
SAVED_MODEL: Final = "saved_model.pb"  # a SavedModel is the folder of this file

Shape: TypeAlias = tuple[int | None, ...]
"""None is an axis of any length."""


class BareNetwork(Protocol):
    """A network behind a function of arrays, batch first, in the layout that it was trained in."""

    def __call__(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        """Return the output that matters; of several, the one named `out`."""

    def outputs(self, batch: NDArray[Any]) -> dict[str, NDArray[np.float32]]:
        """Return every output by its name."""


class OpenedNetwork(BareNetwork, Protocol):
    """A network that TensorFlow runs in its own process."""

    @property
    def takes(self) -> Shape:
        """The input's shape; () where any will do."""

    @property
    def gives(self) -> Mapping[str, Shape]:
        """Each output's shape; a network's only output is called `out`."""


@dataclasses.dataclass(frozen=True, slots=True)
class Weights:
    """One catalogue entry: a file of tensors or a whole model, the recipe that uses it, and its card."""

    name: str
    path: Path  # a file, or the folder of a SavedModel
    sha256: str  # 64 hex digits, as the catalogue states it; of what, `sha256_of` says
    recipe: str
    card: Mapping[str, Any]  # licence, source, intended use, measured quality: shown to people
    opened: OpenedNetwork | None = None  # where TensorFlow runs it; the engine puts it there before a pipeline loads

    @property
    def framework(self) -> Literal["torch", "tensorflow"]:
        """What runs it, by its kind."""
        return "tensorflow" if self.path.suffix in (KERAS_WEIGHTS, KERAS_MODEL) or self.path.is_dir() else "torch"

    @property
    def network(self) -> OpenedNetwork:
        """The network of an entry that TensorFlow runs; WeightsError where the entry is a file of tensors."""
        if self.opened is None:
            raise WeightsError(f"weights {self.name!r}: {self.path.name} is no network that TensorFlow runs here")
        return self.opened

    def verify(self) -> None:
        """Raise WeightsError unless the file is there and its SHA-256 is the catalogue's."""
        if not self.path.exists():
            raise WeightsError(f"weights {self.name!r}: no file {self.path}")
        try:
            found = sha256_of(self.path)
        except (WeightsError, OSError) as error:
            raise WeightsError(f"weights {self.name!r}: {error}") from error
        if found != self.sha256:
            problem = f"has SHA-256 {found}, the catalogue says {self.sha256}"
            raise WeightsError(f"weights {self.name!r}: {self.path} {problem}")


def sha256_of(path: Path) -> str:
    """Return a file's SHA-256, or a folder's: that of what `sha256sum` prints for all its files, sorted by path.

    Paths are relative to the folder, with slashes, and sorted by their bytes. A link in the folder is refused, with
    WeightsError: what it leads to may change.
    """
    if not path.is_dir():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    inside = {one.relative_to(path).as_posix(): one for one in path.rglob("*") if one.is_symlink() or not one.is_dir()}
    for name, one in inside.items():
        if one.is_symlink() or not one.is_file():
            raise WeightsError(f"{path}: {name} is a link or no plain file")
    lines = [f"{sha256_of(inside[name])}  {name}\n" for name in sorted(inside, key=str.encode)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


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


def known_weights(folder: Path) -> dict[str, Weights]:
    """Return the entries that come with the program, and those of a site's own folder; of one name, the site's."""
    return {**read_catalog(shipped.WEIGHTS), **read_catalog(folder)}


def _entry(folder: Path, name: str, values: Mapping[str, Any]) -> Weights:
    card = {key: value for key, value in values.items() if key not in ("file", "sha256", "recipe")}
    return Weights(name, folder / values["file"], values["sha256"], values["recipe"], card)

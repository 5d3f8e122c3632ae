"""One published checkpoint to one entry of the weights catalogue."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from dicom_node.errors import WeightsError
from dicom_node.modes import make_like_folder
from dicom_node.weights_import.card import Card
from dicom_node.weights_import.catalog_file import Value, append_entry, check_name, write_by_rename
from dicom_node.weights_import.found import FoundTensor, Reader
from dicom_node.weights_import.keeping import keep
from dicom_node.weights_import.keras_file import SIGNATURE, open_keras
from dicom_node.weights_import.matching import Pairs, candidates, match
from dicom_node.weights_import.tables import TensorTable
from dicom_node.weights_store import Weights, read_catalog, sha256_of

Tensors: TypeAlias = dict[str, NDArray[np.float32]]

_PICKLES = (b"PK\x03\x04", b"\x80")  # a PyTorch checkpoint begins as a zip archive or, before version 1.6, as a pickle


@dataclasses.dataclass(frozen=True, slots=True)
class Importer:
    """What can be imported, and how: the tables by recipe, the reader of PyTorch files, the day."""

    tables: Mapping[str, TensorTable]
    open_torch: Reader
    today: Callable[[], datetime.date] = datetime.date.today

    def import_weights(
        self, file: Path, name: str, folder: Path, recipe: str | None = None, card: Card | None = None
    ) -> Weights:
        """Convert a checkpoint to `folder`/`name`.safetensors and add it to the folder's catalogue.

        Args:
            file: Keras' legacy .h5, or a PyTorch checkpoint; told apart by content, not by ending.
            name: of the new entry.
            folder: of the catalogue.
            recipe: which recipe the tensors are for; may be None when they fit exactly one.
            card: licence and source for the catalogue.

        Raises:
            WeightsError: why the file, the recipe or the name cannot be used. Nothing was written then.
        """
        check_name(folder, name)
        recipe, tensors, source_sha256 = self._read(file, recipe)
        values = (card or Card()).values(recipe, file, self.today())
        return _stored(folder, name, tensors, {**values, "imported_from_sha256": source_sha256})

    def keep_weights(
        self, file: Path, name: str, folder: Path, recipe: str | None = None, card: Card | None = None
    ) -> Weights:
        """Copy Keras' legacy .h5 as it is, for TensorFlow to run, and add it to the catalogue.

        Takes, checks and raises as `import_weights` does.
        """
        check_name(folder, name)
        recipe, _, _ = self._read(file, recipe)
        if self.tables[recipe].framework != "keras":
            raise WeightsError(f"{file.name}: is a PyTorch checkpoint, which TensorFlow does not run")
        return keep(file, name, folder, (card or Card()).values(recipe, file, self.today()))

    def _read(self, file: Path, recipe: str | None) -> tuple[str, Tensors, str]:
        """Return the recipe, the tensors as its network wants them, and the file's SHA-256."""
        if recipe is not None and recipe not in self.tables:
            raise WeightsError(f"there is no recipe {recipe!r}; there are {', '.join(sorted(self.tables))}")
        try:
            return self._read_open(file, recipe)
        except WeightsError as error:
            said = str(error)
            raise WeightsError(said if said.startswith(file.name) else f"{file.name}: {said}") from error

    def _read_open(self, file: Path, recipe: str | None) -> tuple[str, Tensors, str]:
        framework = _framework(file)
        opened = open_keras if framework == "keras" else self.open_torch
        source_sha256 = sha256_of(file)
        with opened(file) as found:
            recipe = recipe or _only(candidates(self.tables, found, framework))
            return recipe, _converted(_pairs(self.tables[recipe], recipe, framework, found)), source_sha256


def _stored(folder: Path, name: str, tensors: Tensors, values: Mapping[str, Value]) -> Weights:
    make_like_folder(folder)
    path, data = folder / f"{name}.safetensors", save(tensors)
    write_by_rename(path, data)
    append_entry(folder, name, {"file": path.name, "sha256": hashlib.sha256(data).hexdigest(), **values})
    return read_catalog(folder)[name]


def _framework(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            start = opened.read(len(SIGNATURE))
    except OSError as error:
        raise WeightsError(f"cannot be opened: {error.strerror}") from error
    if start == SIGNATURE:
        return "keras"
    if start.startswith(_PICKLES):
        return "torch"
    raise WeightsError("is neither HDF5 (Keras .h5) nor a PyTorch checkpoint, by its first bytes")


def _only(fitting: Sequence[str]) -> str:
    if len(fitting) > 1:
        raise WeightsError(f"its tensors fit several recipes, name one with --recipe: {', '.join(fitting)}")
    return fitting[0]


def _pairs(table: TensorTable, recipe: str, framework: str, found: Sequence[FoundTensor]) -> Pairs:
    if table.framework != framework:
        raise WeightsError(f"recipe {recipe} is published as a {table.framework} checkpoint, this is a {framework} one")
    try:
        return match(table, found)
    except WeightsError as error:
        raise WeightsError(f"does not fit recipe {recipe}: {error}") from error


def _converted(pairs: Pairs) -> Tensors:
    tensors: Tensors = {}
    for wanted, got in pairs:
        values: NDArray[Any] = got.read()
        if values.shape != wanted.shape:
            raise WeightsError(f"tensor {got.label}: says {wanted.shape}, holds {values.shape}")
        if not np.isfinite(values).all():
            raise WeightsError(f"tensor {got.label}: holds values that are no finite numbers")
        tensors[wanted.target] = np.ascontiguousarray(values.transpose(wanted.axes), np.float32)
    return tensors

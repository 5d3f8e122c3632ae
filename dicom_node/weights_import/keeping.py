"""Models that TensorFlow runs as they are: copied beside the catalogue, with the SHA-256 that a site vouches for."""

from __future__ import annotations

import datetime
import shutil
from collections.abc import Mapping
from pathlib import Path

from dicom_node.errors import WeightsError
from dicom_node.modes import make_like_folder
from dicom_node.weights_import.card import Card
from dicom_node.weights_import.catalog_file import Value, append_entry, check_name
from dicom_node.weights_import.keras_model import check_keras_model
from dicom_node.weights_store import KERAS_MODEL, SAVED_MODEL, Weights, read_catalog, sha256_of


def is_model(file: Path) -> bool:
    """Say whether this is a whole model rather than a checkpoint: a `.keras` file or a SavedModel's folder."""
    return file.suffix == KERAS_MODEL or file.is_dir()


def keep_model(file: Path, name: str, folder: Path, recipe: str, card: Card | None = None) -> Weights:
    """Copy a `.keras` file or a SavedModel's folder to `folder`/`name` and add it to the folder's catalogue.

    Args:
        file: of the model. A SavedModel is a program: whoever adds it vouches for it.
        name: of the new entry.
        folder: of the catalogue.
        recipe: a published recipe whose network it is, or any word that a site's own pipeline knows.
        card: licence and source for the catalogue.

    Raises:
        WeightsError: why the file or the name cannot be used. Nothing was written then.
    """
    check_name(folder, name)
    if not recipe:
        raise WeightsError(f"{file.name}: say with --recipe what prepares its input and reads its output")
    try:
        check_model(file)
    except WeightsError as error:
        raise WeightsError(f"{file.name}: {error}") from error
    return keep(file, name, folder, (card or Card()).values(recipe, file, datetime.date.today()))  # the site's day


def check_model(path: Path) -> None:
    """Raise WeightsError where a whole model is damaged or hostile, as far as can be told without TensorFlow."""
    if not path.is_dir():
        check_keras_model(path)
    elif not (path / SAVED_MODEL).is_file():
        raise WeightsError(f"is no SavedModel: it holds no {SAVED_MODEL}")


def keep(file: Path, name: str, folder: Path, values: Mapping[str, Value]) -> Weights:
    """Copy a file or a folder under the entry's name, keeping its ending, and add it to the catalogue."""
    target = folder / (name if file.is_dir() else name + file.suffix)
    if target.exists():
        raise WeightsError(f"{target} is there already, though no entry of the catalogue")
    part = target.with_name(target.name + ".part")
    make_like_folder(folder)
    try:
        if file.is_dir():
            sha256_of(file)  # refuses links, which a copy would follow
            shutil.copytree(file, part)
        else:
            shutil.copyfile(file, part)
        part.replace(target)
    finally:
        shutil.rmtree(part, ignore_errors=True)
        part.unlink(missing_ok=True)
    append_entry(folder, name, {"file": target.name, "sha256": sha256_of(target), **values})
    return read_catalog(folder)[name]

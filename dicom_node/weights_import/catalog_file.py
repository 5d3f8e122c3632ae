"""Adding an entry to `catalog.toml` without touching what a person wrote there."""

from __future__ import annotations

import datetime
import json
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

from dicom_node import shipped
from dicom_node.errors import WeightsError
from dicom_node.modes import open_like_folder
from dicom_node.weights_store import CATALOG, read_catalog

Value: TypeAlias = str | int | list[str] | datetime.date
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")


def check_name(folder: Path, name: str) -> None:
    """Refuse a name that cannot be a file's and a table's, or that this catalogue or the shipped one has already."""
    if not _NAME.fullmatch(name):
        raise WeightsError(f"{name!r} cannot name an entry: letters, digits, _ and - only, a letter or digit first")
    if name in _parsed(_text(folder), folder):
        raise WeightsError(f"{folder / CATALOG} has an entry {name!r} already; choose another name or remove that one")
    if name in read_catalog(shipped.WEIGHTS):
        raise WeightsError(f"an entry {name!r} comes with the program; choose another name")


def append_entry(folder: Path, name: str, values: Mapping[str, Value]) -> None:
    """Write the catalogue anew with one more table at its end, by rename; `file` names what lies there for it.

    Catalogue and file can be read by whoever may read the folder: work processes may run as other users.
    """
    check_name(folder, name)
    before = _text(folder)
    lines = [f"{key} = {_toml(value)}" for key, value in values.items()]
    text = "\n".join([*([before.rstrip("\n"), ""] if before.strip() else []), f"[{name}]", *lines, ""])
    if _parsed(text, folder) != {**_parsed(before, folder), name: dict(values)}:
        raise WeightsError(f"{folder / CATALOG}: adding {name!r} would change what else it says")
    write_by_rename(folder / CATALOG, text.encode())
    for path in (folder / CATALOG, folder / str(values["file"])):
        open_like_folder(path)


def write_by_rename(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all."""
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _text(folder: Path) -> str:
    path = folder / CATALOG
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _parsed(text: str, folder: Path) -> dict[str, object]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise WeightsError(f"{folder / CATALOG}: {error}") from error


def _toml(value: Value) -> str:
    if isinstance(value, datetime.date):
        return value.isoformat()
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")

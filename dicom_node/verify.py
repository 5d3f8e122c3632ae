"""`dicom-node verify`: does every file that the catalog names stand where it says, with the bytes that it had?"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from dicom_node.catalog import Catalog, Instance, Result, Run, Series, Stack
from dicom_node.config import Config

_ROWS = 1000  # fetched at a time


@dataclass(frozen=True, slots=True)
class Checked:
    """One file; `problem` is empty where all is well."""

    path: str  # below the storage folder
    problem: str


def verify(config: Config, catalog: Catalog, *, quick: bool) -> Iterator[Checked]:
    """Check every file; `quick` compares received objects' sizes only, not their contents.

    A file without a row is named too: the next start of the node registers it.
    """
    folder = config.storage_folder
    known = set()
    for instance in _instances(catalog):
        known.add(instance.path)
        sha256 = "" if quick else instance.sha256
        yield Checked(instance.path, file_problem(folder / instance.path, sha256, instance.size, instance.data_set_at))
    for result in _results(catalog):
        yield Checked(result.path, file_problem(folder / result.path, result.sha256))
    for path in sorted((folder / "comparing").glob("*.dcm")):
        yield Checked(path.relative_to(folder).as_posix(), "is being compared with what is known of its SOP Instance")
    for path in sorted((folder / "storage").glob("*/*/*.dcm")):
        relative = path.relative_to(folder).as_posix()
        if relative not in known:
            yield Checked(relative, "is not in the catalog; the next start registers it")


def _instances(catalog: Catalog) -> Iterator[Instance]:
    with catalog.read() as session:
        query = select(Instance).where(Instance.removed_at == 0).order_by(Instance.path)
        yield from session.scalars(query.execution_options(yield_per=_ROWS))


def _results(catalog: Catalog) -> Iterator[Result]:
    """Yield the results whose series has not been removed for its age."""
    query = (
        select(Result)
        .join(Run, Result.run_id == Run.id)
        .join(Stack, Run.stack_id == Stack.id)
        .join(Series, (Stack.study_uid == Series.study_uid) & (Stack.series_uid == Series.uid))
        .where(Series.removed_at == 0.0)
    )
    with catalog.read() as session:
        yield from session.scalars(query.execution_options(yield_per=_ROWS))


def file_problem(path: Path, sha256: str, size: int | None = None, hashed_from: int = 0) -> str:
    """Compare a file with what is known of it; an empty hash is not compared, another from a byte of the file on."""
    try:
        if size is not None and path.stat().st_size != size:
            return f"has {path.stat().st_size} bytes instead of {size}"
        if sha256:
            with path.open("rb") as file:
                file.seek(hashed_from)
                if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                    return "holds other bytes than it did"
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return ""

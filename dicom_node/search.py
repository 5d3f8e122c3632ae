"""Which stacks a person asks for: by patient, accession number, study, state and time.

The catalog holds no patient's number, so patient and accession number are read from one object of each series.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread
from sqlalchemy import select
from sqlalchemy.orm import Session

from dicom_node.catalog import Catalog, Instance, Stack, StackState, VersionState
from dicom_node.config import Config
from dicom_node.errors import ObjectError
from dicom_node.imaging.headers import naming


@dataclass(frozen=True, slots=True)
class Search:
    """What is asked for; an empty value asks for nothing. All that is given has to hold."""

    patient: str = ""  # PatientID, whole
    accession: str = ""  # AccessionNumber, whole
    study: str = ""  # Study Instance UID, or its last characters
    state: StackState | None = None
    since: float = 0.0  # of the last change, seconds since the epoch

    @property
    def is_empty(self) -> bool:
        """Whether nothing was asked for."""
        return self == Search()


def find_stacks(config: Config, catalog: Catalog, search: Search) -> list[Stack]:
    """Return the stacks that meet a search, the latest change first."""
    query = select(Stack).where(Stack.at >= search.since, Stack.study_uid.endswith(search.study, autoescape=True))
    if search.state is not None:
        query = query.where(Stack.state == search.state)
    with catalog.read() as session:
        found = session.scalars(query.order_by(Stack.at.desc())).all()
        if not (search.patient or search.accession):
            return list(found)
        series = {(stack.study_uid, stack.series_uid) for stack in found}
        wanted = set(_naming(session, config, search, series))
    return [stack for stack in found if (stack.study_uid, stack.series_uid) in wanted]


def _naming(
    session: Session, config: Config, search: Search, series: set[tuple[str, str]]
) -> Iterator[tuple[str, str]]:
    """Yield the series of which an object names the patient and the accession number; removed ones have no object."""
    for study_uid, series_uid in series:
        of_series = Instance.study_uid == study_uid, Instance.series_uid == series_uid
        is_here = Instance.state == VersionState.CURRENT, Instance.removed_at == 0
        query = select(Instance.path).where(*of_series, *is_here)
        path = session.scalars(query.limit(1)).first()
        if path is not None and _names(config.storage_folder / path, search):
            yield study_uid, series_uid


def _names(path: Path, search: Search) -> bool:
    try:
        with naming(str(path), "its header cannot be read"):
            header = dcmread(path, specific_tags=["PatientID", "AccessionNumber"], stop_before_pixels=True)
            seen = [str(header.get(keyword) or "").strip() for keyword in ("PatientID", "AccessionNumber")]
    except ObjectError:  # what cannot be read is not found by what it says; its stack is refused by name
        return False
    asked = (search.patient.strip(), search.accession.strip())
    return all(not wanted or wanted == value for wanted, value in zip(asked, seen, strict=True))

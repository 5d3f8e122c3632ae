"""A small PACS that answers queries with where it keeps an object now, and moves what it keeps."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO

from pydicom import Dataset
from pydicom.filereader import read_dataset
from pydicom.uid import UID
from pynetdicom.events import Event

from tests.deliver.pacs import Pacs


class MovingPacs(Pacs):
    """Keeps each object under the study and patient of its header until it is moved."""

    def objects(self) -> dict[str, Dataset]:
        """Return what it keeps, by SOP Instance UID."""
        return {uid: self._read(*kept) for uid, kept in self.received.items()}

    def move(self, study_uid: str, **values: str) -> None:
        """Let all objects of a study have other values, as a PACS does that moves it to another patient or study."""
        for uid, one in self.objects().items():
            if study_uid == one.StudyInstanceUID:
                self.places[uid] = values

    def on_find(self, event: Event) -> Iterator[tuple[int, Dataset | None]]:
        uid = str(event.identifier.SOPInstanceUID)
        one = self.objects().get(uid)
        if one is not None:
            match = Dataset()
            for keyword in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "PatientID"):
                setattr(match, keyword, self.places.get(uid, {}).get(keyword, getattr(one, keyword)))
            asked = str(event.identifier.get("StudyInstanceUID", ""))
            if asked in ("", match.StudyInstanceUID):
                yield 0xFF00, match
        yield 0x0000, None

    @property
    def places(self) -> dict[str, dict[str, str]]:
        """What was moved, by SOP Instance UID."""
        places: dict[str, dict[str, str]] = self.__dict__.setdefault("_places", {})
        return places

    @staticmethod
    def _read(syntax: str, data_set: bytes) -> Dataset:
        uid = UID(syntax)
        return read_dataset(BytesIO(data_set), uid.is_implicit_VR, uid.is_little_endian)

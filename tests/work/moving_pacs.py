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
        """Return what it keeps, as it came, by SOP Instance UID."""
        return {uid: self._object(uid) for uid in list(self.received)}

    def place(self, uid: str) -> dict[str, str]:
        """Return under what it keeps an object now."""
        one = self._object(uid)
        names = "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "PatientID"
        return {name: str(getattr(one, name)) for name in names} | self.places.get(uid, {})

    def move(self, study_uid: str, **values: str) -> None:
        """Let all objects of a study have other values, as a PACS does that moves it to another patient or study."""
        for uid, one in self.objects().items():
            if study_uid == one.StudyInstanceUID:
                self.places[uid] = values

    def on_find(self, event: Event) -> Iterator[tuple[int, Dataset | None]]:
        uid = str(event.identifier.SOPInstanceUID)
        if uid in self.received:
            match = Dataset()
            for keyword, value in self.place(uid).items():
                setattr(match, keyword, value)
            asked = str(event.identifier.get("StudyInstanceUID", ""))
            if asked in ("", match.StudyInstanceUID):
                yield 0xFF00, match
        yield 0x0000, None

    @property
    def places(self) -> dict[str, dict[str, str]]:
        """What was moved, by SOP Instance UID."""
        places: dict[str, dict[str, str]] = self.__dict__.setdefault("_places", {})
        return places

    def _object(self, uid: str) -> Dataset:
        read: dict[tuple[str, bytes], Dataset] = self.__dict__.setdefault("_objects", {})
        kept = self.received[uid]
        if kept not in read:
            read[kept] = self._read(*kept)
        return read[kept]

    @staticmethod
    def _read(syntax: str, data_set: bytes) -> Dataset:
        uid = UID(syntax)
        return read_dataset(BytesIO(data_set), uid.is_implicit_VR, uid.is_little_endian)

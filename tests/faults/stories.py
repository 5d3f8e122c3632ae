"""What hospitals do to a series that was sent: move it, copy it, take it back; and what must be true in the end."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pydicom import FileDataset
from pydicom.uid import generate_uid

from dicom_node.catalog import StackState, VersionState
from tests.faults.sending import SCANNER, Modality
from tests.support.dicom import series
from tests.support.rejections import rejection_note

PACS, STRANGER = ("PACS", "127.0.0.2"), ("STRANGER", "127.0.0.3")
_IMAGES = 6
_CURRENT, _HELD = VersionState.CURRENT, VersionState.HELD
_SUPERSEDED, _REJECTED = VersionState.SUPERSEDED, VersionState.REJECTED
_IMAGES_ONLY = "113039"  # DCM, of a note after which results stay


@dataclass(frozen=True, slots=True)
class Version:
    """One data set that is sent, and what it counts for in the end."""

    image: FileDataset
    state: VersionState


@dataclass(frozen=True, slots=True)
class End:
    """The images of one series that count in the end, and how their stack ends."""

    study_uid: str
    images: frozenset[str]
    state: StackState


@dataclass(frozen=True, slots=True)
class Story:
    """What is sent, in order, and what must come of it."""

    kind: str
    parts: Sequence[tuple[tuple[str, str], Sequence[FileDataset]]]  # sender (AE title, address) and its objects
    versions: Sequence[Version]
    ends: Sequence[End]
    patients: dict[str, str]  # PatientID by Study Instance UID, of every study that anybody names
    waits: bool = False  # for the first series' stack before the second part is sent
    results_stay: frozenset[str] = field(default_factory=frozenset)  # of these images, though they are rejected

    def modalities(self, port: int) -> list[Modality]:
        """Return who sends the parts."""
        return [Modality(port, images, sender) for sender, images in self.parts]


def tell(chance: random.Random) -> Story:
    """Return one of the stories."""
    return chance.choice(_STORIES)(chance)


def _sent_once(_chance: random.Random) -> Story:
    images = _series()
    return _story("sent once", images, [], _versions(images), [_end(images, StackState.DELIVERED)])


def _moved(chance: random.Random) -> Story:
    images = _series()
    moved = _elsewhere(images, chance)
    versions = [*_versions(images, _SUPERSEDED), *_versions(moved)]
    return _story("moved", images, [(PACS, moved)], versions, [_end(moved, StackState.DELIVERED)])


def _moved_in_part(chance: random.Random) -> Story:
    images = _series()
    moved = _elsewhere(images[: _IMAGES // 2], chance)
    stay = images[_IMAGES // 2 :]
    versions = [*_versions(images[: _IMAGES // 2], _SUPERSEDED), *_versions(stay), *_versions(moved)]
    ends = [_end(stay, StackState.DELIVERED), _end(moved, StackState.DELIVERED)]
    return _story("moved in part", images, [(PACS, moved)], versions, ends)


def _moved_by_a_stranger(chance: random.Random) -> Story:
    images = _series()
    moved = _elsewhere(images, chance)
    versions = [*_versions(images), *_versions(moved, _HELD)]
    ends = [_end(images, StackState.DELIVERED)]
    return _story("moved by a stranger", images, [(STRANGER, moved)], versions, ends)


def _copied(_chance: random.Random) -> Story:
    images = _series()
    copies = _under_new_uids(images)
    ends = [_end(images, StackState.DELIVERED), _end(copies, StackState.NOTHING)]
    versions = [*_versions(images), *_versions(copies)]
    return _story("copied", images, [(PACS, copies)], versions, ends, waits=True)


def _copied_to_another_patient(chance: random.Random) -> Story:
    images = _series()
    copies = _under_new_uids(_elsewhere(images, chance))
    ends = [_end(images, StackState.DELIVERED), _end(copies, StackState.DELIVERED)]
    versions = [*_versions(images), *_versions(copies)]
    return _story("copied to another patient", images, [(PACS, copies)], versions, ends)


def _rejected(chance: random.Random) -> Story:
    images = _series()
    code = chance.choice(["113001", "113037", _IMAGES_ONLY])
    note = [rejection_note(code, images)]
    versions = [*_versions(images, _REJECTED), *_versions(note)]
    stay = frozenset(_uids(images)) if code == _IMAGES_ONLY else frozenset[str]()
    ends = [_end(note, StackState.NOTHING)]
    return _story(f"rejected ({code})", images, [(PACS, note)], versions, ends, results_stay=stay)


def _rejected_by_a_stranger(chance: random.Random) -> Story:
    images = _series()
    note = [rejection_note(chance.choice(["113001", "113037"]), images)]
    versions = [*_versions(images), *_versions(note, _HELD)]
    ends = [_end(images, StackState.DELIVERED)]
    return _story("rejected by a stranger", images, [(STRANGER, note)], versions, ends)


_STORIES: Sequence[Callable[[random.Random], Story]] = (
    *(_sent_once, _moved, _moved_in_part, _moved_by_a_stranger),
    *(_copied, _copied_to_another_patient, _rejected, _rejected_by_a_stranger),
)


def _story(
    kind: str,
    images: Sequence[FileDataset],
    then: Sequence[tuple[tuple[str, str], Sequence[FileDataset]]],
    versions: Sequence[Version],
    ends: Sequence[End],
    *,
    waits: bool = False,
    results_stay: frozenset[str] = frozenset(),
) -> Story:
    patients = {str(version.image.StudyInstanceUID): str(version.image.PatientID) for version in versions}
    return Story(kind, [(SCANNER, images), *then], versions, ends, patients, waits, results_stay)


def _series() -> list[FileDataset]:
    """Return a new series of a patient who has no other."""
    images = series(_IMAGES)
    return _changed(images, PatientID=f"SYN-{images[0].StudyInstanceUID[-12:]}")


def _elsewhere(images: Sequence[FileDataset], chance: random.Random) -> list[FileDataset]:
    """Return the same images in another study, of another patient or of the same."""
    study_uid = generate_uid()
    patient = chance.choice([str(images[0].PatientID), f"SYN-{study_uid[-12:]}"])
    return _changed(images, StudyInstanceUID=study_uid, PatientID=patient)


def _under_new_uids(images: Sequence[FileDataset]) -> list[FileDataset]:
    series_uid = generate_uid()
    copies = [_changed([image], SOPInstanceUID=generate_uid(), SeriesInstanceUID=series_uid)[0] for image in images]
    for one in copies:
        one.file_meta.MediaStorageSOPInstanceUID = one.SOPInstanceUID
    return copies


def _changed(images: Sequence[FileDataset], **values: str) -> list[FileDataset]:
    changed = copy.deepcopy(list(images))
    for image in changed:
        for keyword, value in values.items():
            setattr(image, keyword, value)
    return changed


def _versions(images: Sequence[FileDataset], state: VersionState = _CURRENT) -> list[Version]:
    return [Version(image, state) for image in images]


def _end(images: Sequence[FileDataset], state: StackState) -> End:
    return End(str(images[0].StudyInstanceUID), frozenset(_uids(images)), state)


def _uids(images: Sequence[FileDataset]) -> list[str]:
    return [str(image.SOPInstanceUID) for image in images]

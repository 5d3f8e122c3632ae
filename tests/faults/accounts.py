"""What became of one story: counted at the disk, in the catalog, and in what the peers really hold."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydicom import Dataset
from sqlalchemy import select

from dicom_node.catalog import (
    UNFINISHED,
    Delivery,
    DeliveryState,
    Instance,
    Result,
    Run,
    Stack,
    StackState,
    VersionState,
)
from tests.faults.house import House
from tests.faults.stories import End, Story, Version
from tests.faults.verdict import RESULTS_OF_A_STACK, cited
from tests.support.dicom import data_set_bytes, encoded

_KEY_OBJECTS = "1.2.840.10008.5.1.4.1.1.88.59"
_KEPT = {"orthanc": DeliveryState.STORED, "archive": DeliveryState.COMMITTED}
_ENDED = {DeliveryState.STOPPED, DeliveryState.MOVED, DeliveryState.WITHDRAWN}


@dataclass(frozen=True, slots=True)
class Account:
    """The counts that must be zero, and what they are about."""

    kind: str
    acknowledged: int
    lost: int  # acknowledged versions without their bytes on disk, a row, the right state or a reason
    doubled: int  # results at a peer that say what another there says, that we do not know of, or that changed
    missing: int  # stacks that should have ended otherwise, and results that a peer should have
    misplaced: int  # objects at a peer under another patient or study than their images, which no note there rejects
    without_end: int  # stacks and deliveries on their way or waiting for a person
    seen: tuple[str, ...]  # what is wrong, in words

    @property
    def faults(self) -> int:
        """How much is wrong."""
        return self.lost + self.doubled + self.missing + self.misplaced + self.without_end


class Accounting:
    """Counts one story's end."""

    def __init__(self, house: House, story: Story) -> None:
        self._story = story
        self._house = house
        with house.node.catalog.read() as session:
            of_studies = Stack.study_uid.in_(story.patients)
            self._stacks = session.scalars(select(Stack).where(of_studies).order_by(Stack.generation)).all()
            runs = select(Result.uid, Run.stack_id).join(Run).where(Run.stack_id.in_([one.id for one in self._stacks]))
            self._results = {uid: stack_id for uid, stack_id in session.execute(runs).all()}  # noqa: C416
            deliveries = select(Delivery).where(Delivery.result_uid.in_(self._results))
            self._deliveries = session.scalars(deliveries).all()
        self._held = {
            name: [one for study_uid in story.patients for one in peer.objects(study_uid)]
            for name, peer in (("orthanc", house.orthanc), ("archive", house.archive))
        }

    def account(self, acknowledged: int) -> Account:
        """Count everything."""
        found = {
            "lost": list(self.find_lost()),
            "doubled": [*self._doubled(), *sorted(set(self._house.archive.altered) & self._results.keys())],
            "missing": [*self._wrong_ends(), *self._missing()],
            "misplaced": list(self._misplaced()),
            "without_end": list(self._without_end()),
        }
        counts = {name: len(items) for name, items in found.items()}
        seen = tuple(f"{name}: {item}" for name, items in found.items() for item in items)
        return Account(self._story.kind, acknowledged, **counts, seen=seen)

    def find_lost(self) -> Iterator[str]:
        """Yield what is wrong with each version that was acknowledged."""
        uids = {str(version.image.SOPInstanceUID) for version in self._story.versions}
        with self._house.node.catalog.read() as session:
            rows = session.scalars(select(Instance).where(Instance.uid.in_(uids))).all()
        by_bytes: defaultdict[bytes, list[Instance]] = defaultdict(list)
        for row in rows:
            path = self._house.node.config.storage_folder / row.path
            by_bytes[data_set_bytes(path.read_bytes()) if path.exists() else b""].append(row)
        for version in self._story.versions:
            if problem := _problem(version, by_bytes[data_set_bytes(encoded(version.image))]):
                yield f"{version.image.SOPInstanceUID} {problem}"

    def _wrong_ends(self) -> Iterator[str]:
        """Yield series whose latest stack is not of the images that count, or has not ended as it should."""
        latest = {(stack.study_uid, stack.series_uid): stack for stack in self._stacks if not stack.corrected}
        ended = Counter(End(stack.study_uid, _frames(stack), stack.state) for stack in latest.values())
        wanted = Counter(self._story.ends)
        yield from (f"no stack of {len(end.images)} images in {end.study_uid} is {end.state}" for end in wanted - ended)
        yield from (f"a stack of {len(end.images)} images in {end.study_uid} is {end.state}" for end in ended - wanted)

    def _missing(self) -> Iterator[str]:
        for stack in self._stacks:
            if stack.corrected or stack.state != StackState.DELIVERED:
                continue
            made = {uid for uid, stack_id in self._results.items() if stack_id == stack.id}
            if len(made) != RESULTS_OF_A_STACK:
                yield f"stack {stack.id[:8]} has {len(made)} results"
            for name, objects in self._held.items():
                lacks = made - {str(one.SOPInstanceUID) for one in objects}
                yield from (f"{uid} at {name}" for uid in lacks | (made & _noted(objects).keys()))

    def _doubled(self) -> Iterator[str]:
        for name, objects in self._held.items():
            noted = _noted(objects)
            stand = [one for one in objects if one.SOPInstanceUID not in noted and one.SOPClassUID != _KEY_OBJECTS]
            says = Counter(
                (one.SOPClassUID, one.StudyInstanceUID, one.SeriesDescription, self._images(one)) for one in stand
            )
            yield from (f"{description} at {name}" for (_, _, description, _), count in says.items() if count > 1)
            yield from (
                f"{one.SOPInstanceUID}, unknown here, at {name}"
                for one in objects
                if one.SOPInstanceUID not in self._results
            )

    def _misplaced(self) -> Iterator[str]:
        """Yield what a peer holds where its images are not."""
        place = {
            str(version.image.SOPInstanceUID): str(version.image.StudyInstanceUID)
            for version in self._story.versions
            if version.state == VersionState.CURRENT or version.image.SOPInstanceUID in self._story.results_stay
        }
        for name, objects in self._held.items():
            noted = _noted(objects)
            for one in objects:
                study_uid = str(one.StudyInstanceUID)
                if one.PatientID != self._story.patients[study_uid]:
                    yield f"{one.SOPInstanceUID} is another patient's at {name}"
                if one.SOPClassUID == _KEY_OBJECTS or noted.get(str(one.SOPInstanceUID)) == study_uid:
                    continue
                if any(place.get(image) != study_uid for image in self._images(one)):
                    yield f"{one.Modality} {one.SOPInstanceUID} stands in {study_uid} at {name}"

    def _without_end(self) -> Iterator[str]:
        for stack in self._stacks:
            if stack.state in UNFINISHED or not stack.reason:
                yield f"stack {stack.id[:8]} {stack.state}"
        for one in self._deliveries:
            if one.state not in {_KEPT[one.peer], *_ENDED}:
                yield f"{one.result_uid} to {one.peer}: {one.state} {one.reason}"

    def _images(self, result: Dataset) -> frozenset[str]:
        sent = {str(version.image.SOPInstanceUID) for version in self._story.versions}
        return frozenset(cited(result) & sent)


def _frames(stack: Stack) -> frozenset[str]:
    return frozenset(frame["sop_instance_uid"] for frame in stack.content["frames"])


def _problem(version: Version, rows: Sequence[Instance]) -> str:
    if len(rows) != 1:
        return f"has {len(rows)} rows"
    if rows[0].state != version.state:
        return f"is {rows[0].state} instead of {version.state}: {rows[0].reason}"
    return "" if rows[0].reason or version.state == VersionState.CURRENT else f"is {version.state} without a reason"


def _noted(objects: Sequence[Dataset]) -> Mapping[str, str]:
    """Return what rejection notes among objects name, and in which study."""
    notes = [one for one in objects if one.SOPClassUID == _KEY_OBJECTS]
    return {uid: str(note.StudyInstanceUID) for note in notes for uid in cited(note)}

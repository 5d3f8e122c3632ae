"""What became of one series that was sent: counted at the disk, in the catalog, and in what the peers really hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydicom import Dataset
from sqlalchemy import select

from dicom_node.catalog import UNFINISHED, Catalog, Delivery, Instance, Result, Run, Stack, StackState
from tests.faults.house import House
from tests.faults.sending import Modality
from tests.support.dicom import data_set_bytes, encoded

RESULTS_OF_A_STACK = 3  # the gate's SR, the marker's SEG and SR


@dataclass(frozen=True, slots=True)
class Verdict:
    """The counts that must be zero, and how the stacks ended."""

    acknowledged: int
    lost: int  # acknowledged images that are not on disk as sent, without a row, or in no stack
    doubled: int  # results at a peer that say what another there says, that we do not know of, or that changed
    missing: int  # results that a delivered stack does not have at each peer
    without_end: int  # stacks on their way, and series without any
    ends: tuple[str, ...]

    @property
    def faults(self) -> int:
        """How much is wrong."""
        return self.lost + self.doubled + self.missing + self.without_end

    def __str__(self) -> str:
        counts = f"lost {self.lost}, doubled {self.doubled}, missing {self.missing}, without end {self.without_end}"
        return f"{self.acknowledged} acknowledged, {counts}; {', '.join(self.ends)}"


def judge(house: House, modality: Modality) -> Verdict:
    """Count what became of a series."""
    catalog = house.node.catalog
    stacks = _stacks(catalog, modality.study_uid)
    results = _results(catalog, [stack.id for stack in stacks])
    held = {"orthanc": house.orthanc.objects(modality.study_uid), "archive": house.archive.objects(modality.study_uid)}
    return Verdict(
        acknowledged=len(modality.acknowledged),
        lost=sum(1 for _ in _lost(house, modality, stacks)),
        doubled=sum(_doubled(objects, modality, results) for objects in held.values())
        + len(set(house.archive.altered).intersection(results)),
        missing=_missing(held, stacks, results),
        without_end=_without_end(stacks, _deliveries(catalog, results)),
        ends=tuple(f"{stack.state} ({stack.reason})" for stack in stacks),
    )


def _stacks(catalog: Catalog, study_uid: str) -> Sequence[Stack]:
    query = select(Stack).where(Stack.study_uid == study_uid).order_by(Stack.generation)
    with catalog.read() as session:
        return session.scalars(query).all()


def _results(catalog: Catalog, stack_ids: Sequence[str]) -> dict[str, str]:
    """Return the stack of each result, by SOP Instance UID."""
    query = select(Result.uid, Run.stack_id).join(Run, Result.run_id == Run.id).where(Run.stack_id.in_(stack_ids))
    with catalog.read() as session:
        return {uid: stack for uid, stack in session.execute(query).all()}  # noqa: C416  # rows are no pairs for mypy


def _deliveries(catalog: Catalog, results: Iterable[str]) -> Sequence[Delivery]:
    with catalog.read() as session:
        return session.scalars(select(Delivery).where(Delivery.result_uid.in_(list(results)))).all()


def _lost(house: House, modality: Modality, stacks: Iterable[Stack]) -> Iterator[str]:
    in_stacks = {frame["sop_instance_uid"] for stack in stacks for frame in stack.content["frames"]}
    for image in modality.images:
        uid = str(image.SOPInstanceUID)
        if uid in modality.acknowledged and not (uid in in_stacks and _is_kept(house, image)):
            yield uid


def _is_kept(house: House, image: Dataset) -> bool:
    with house.node.catalog.read() as session:
        row = session.scalars(select(Instance).where(Instance.uid == str(image.SOPInstanceUID))).first()
    if row is None:
        return False
    path = house.node.config.storage_folder / row.path
    return path.exists() and data_set_bytes(path.read_bytes()) == data_set_bytes(encoded(image))


def _doubled(objects: Sequence[Dataset], modality: Modality, known: Mapping[str, str]) -> int:
    """Count objects of like kind that cite the same images, and objects that the catalog does not know."""
    sent = {str(image.SOPInstanceUID) for image in modality.images}
    says = Counter((one.SOPClassUID, one.SeriesDescription, frozenset(cited(one) & sent)) for one in objects)
    strangers = [one for one in objects if one.SOPInstanceUID not in known]
    return sum(count - 1 for count in says.values()) + len(strangers)


def cited(dataset: Dataset) -> set[str]:
    """Return every SOP Instance UID that a data set refers to."""
    found = {str(dataset.ReferencedSOPInstanceUID)} if "ReferencedSOPInstanceUID" in dataset else set()
    items = [item for element in dataset if element.VR == "SQ" for item in element.value]
    return found.union(*map(cited, items))


def _missing(held: Mapping[str, Sequence[Dataset]], stacks: Iterable[Stack], results: Mapping[str, str]) -> int:
    delivered = {stack.id for stack in stacks if stack.state == StackState.DELIVERED}
    made = Counter(stack for stack in results.values() if stack in delivered)
    never_made = sum(RESULTS_OF_A_STACK - made[stack] for stack in delivered)
    wanted = {uid for uid, stack in results.items() if stack in delivered}
    return never_made + sum(len(wanted - {str(one.SOPInstanceUID) for one in objects}) for objects in held.values())


def _without_end(stacks: Sequence[Stack], deliveries: Iterable[Delivery]) -> int:
    under_way = sum(1 for one in deliveries if one.state not in {"committed", "failed"} and one.peer == "archive")
    under_way += sum(1 for one in deliveries if one.state not in {"stored", "failed"} and one.peer == "orthanc")
    return sum(1 for stack in stacks if stack.state in UNFINISHED) + under_way + (not stacks)

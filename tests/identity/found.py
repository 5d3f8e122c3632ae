"""What came of the cells, read from the catalog, from the node's answers to storage commitment and from the peers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

from pydicom import Dataset

from dicom_node.catalog import Instance, VersionState
from tests.identity.expected import Expected, Held, Version
from tests.identity.images import Images
from tests.identity.site import Site
from tests.work.moving_pacs import MovingPacs

_T = TypeVar("_T")
_ANSWERED_S = 40.0


def found(site: Site, rows: Sequence[Images]) -> list[Expected]:
    """Return the end of each row, in their order."""
    answers = _ask_commitment(site, rows)
    states = _states(site)
    by_study = {name: _by_study(peer) for name, peer in site.peers.items()}
    return [
        Expected(
            states=_common([states.get(uid, {}) for uid in row.came_twice]),
            commitment=_common([answers[uid] for uid in row.came_twice]),
            commitment_of_rest=answers[row.came_once[0]] if row.came_once else None,
            peers={name: _held(peer, by_study[name], row) for name, peer in site.peers.items()},
        )
        for row in rows
    ]


def _common(values: Sequence[_T]) -> _T:
    """Return what is the same of all images that came twice."""
    assert all(one == values[0] for one in values), values
    return values[0]


def _states(site: Site) -> Mapping[str, Mapping[Version, VersionState]]:
    """Return what each version of a SOP Instance counts for; the first is the one that came first."""
    by_uid: dict[str, list[VersionState]] = {}
    for row in sorted(site.rows(Instance), key=lambda row: row.at):
        by_uid.setdefault(row.uid, []).append(row.state)
    names: tuple[Version, Version] = ("first", "second")
    return {uid: dict(zip(names, states, strict=False)) for uid, states in by_uid.items()}


def _ask_commitment(site: Site, rows: Sequence[Images]) -> Mapping[str, int]:
    """Let the peer "main" ask for all images in one transaction; return the Failure Reasons, 0 for success."""
    peer = site.peers["main"]
    peer.reports.clear()
    images = [image for row in rows for image in row.first]
    peer.ask_commitment(images)
    site.wait(lambda: peer.reports, "the answer to a request for storage commitment", _ANSWERED_S)
    (report,) = peer.reports
    answers = {str(item.ReferencedSOPInstanceUID): 0 for item in report.get("ReferencedSOPSequence") or ()}
    failed = report.get("FailedSOPSequence") or ()
    return answers | {str(item.ReferencedSOPInstanceUID): int(item.FailureReason) for item in failed}


def _by_study(peer: MovingPacs) -> Mapping[str, list[Dataset]]:
    by_study: dict[str, list[Dataset]] = {}
    for one in peer.objects().values():
        by_study.setdefault(str(one.StudyInstanceUID), []).append(one)
    return by_study


def _held(peer: MovingPacs, by_study: Mapping[str, list[Dataset]], row: Images) -> list[Held]:
    objects = [one for study_uid in row.study_uids for one in by_study.get(study_uid, ())]
    rejected = set(_rejected([one for one in objects if one.Modality == "KO"]))
    return sorted(_as_held(peer, one, row, rejected) for one in objects if one.Modality != "KO")


def _rejected(notes: Sequence[Dataset]) -> Iterator[tuple[str, str, str]]:
    """Yield SOP Instance UID, study and patient of what notes reject for the patient's safety."""
    for note in notes:
        assert note.ConceptNameCodeSequence[0].CodeValue == "113037"
        for study in note.CurrentRequestedProcedureEvidenceSequence:
            for series in study.ReferencedSeriesSequence:
                for item in series.ReferencedSOPSequence:
                    yield str(item.ReferencedSOPInstanceUID), str(note.StudyInstanceUID), str(note.PatientID)


def _as_held(peer: MovingPacs, result: Dataset, row: Images, rejected: set[tuple[str, str, str]]) -> Held:
    uid = str(result.SOPInstanceUID)
    place = peer.place(uid)
    (cited,) = result.ReferencedSeriesSequence
    return Held(
        study=row.study_uids[place["StudyInstanceUID"]],
        patient=row.patients[place["PatientID"]],
        series=row.series_uids[str(cited.SeriesInstanceUID)],
        images=len(cited.ReferencedInstanceSequence),
        header=row.accession_numbers[str(result.AccessionNumber or "")],
        is_rejected=(uid, place["StudyInstanceUID"], place["PatientID"]) in rejected,
    )

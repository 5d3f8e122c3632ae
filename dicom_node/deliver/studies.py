"""Studies and their objects at a peer, by C-FIND at Study Root (PS3.4 C.6.2); no answer is taken on trust."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from pydicom import Dataset
from pydicom.uid import UID
from pynetdicom import build_context
from pynetdicom.association import Association

from dicom_node.config import Config, Peer
from dicom_node.deliver.calling import NoAssociationError, advancing, associate
from dicom_node.deliver.matching import mismatches, texts
from dicom_node.deliver.query import STUDY_ROOT_FIND
from dicom_node.errors import PeerError

_RETURNED = ("StudyInstanceUID", "PatientID", "StudyDate", "ModalitiesInStudy", "NumberOfStudyRelatedInstances")


@dataclass(frozen=True, slots=True)
class StudyFound:
    """One study that a peer holds; `patient_id` tells patients apart and is never printed."""

    study_uid: str
    patient_id: str
    date: str
    modalities: tuple[str, ...]
    instances: int | None  # None where the peer does not say


class UnaskableKeyError(PeerError):
    """A value cannot be asked for: sent as it is, it would mean something else to a PACS."""

    def __init__(self, keyword: str) -> None:
        problem = "holds a backslash or a character that cannot be printed"
        super().__init__(f"{keyword} {problem}: nothing was asked")


class IgnoredKeyError(PeerError):
    """A peer answered a query, and no answer holds what was asked."""

    def __init__(self, peer: Peer, answers: int, keywords: str) -> None:
        super().__init__(
            f"{peer.ae_title} answered with {answers} studies, of which none is one that was asked for: "
            f"it ignores {keywords}, does not return it, or answers in a character set that cannot write it; "
            "nothing is fetched"
        )


def find_studies(config: Config, peer: Peer, keys: Mapping[str, str]) -> list[StudyFound]:
    """Return the studies at a peer that match keys (keyword -> value, with the standard's wildcards and ranges).

    Each study stands there once, and only if the answer itself holds every key.

    Raises:
        UnaskableKeyError: a key's value cannot be asked for.
        IgnoredKeyError: the peer answered, but with other studies only.
        PeerError: the peer could not be asked, or would not answer.
    """
    identifier = _identifier(keys)
    association = associate(config, peer, [build_context(STUDY_ROOT_FIND)])
    try:
        answers = _ask(association, peer, identifier)
    finally:
        association.release()
    failing = [mismatches(keys, answer) for answer in answers]
    matches = [answer for answer, fails in zip(answers, failing, strict=True) if not fails]
    ignored = Counter(keyword for fails in failing for keyword in fails if keyword != "ModalitiesInStudy")
    if answers and not matches and ignored:
        raise IgnoredKeyError(peer, len(answers), " and ".join(sorted(ignored)))
    studies = [_study(match) for match in matches if _is_uid(match)]
    return list({(study.study_uid, study.patient_id): study for study in studies}.values())


def list_objects(config: Config, peer: Peer, study_uid: str) -> Mapping[str, str]:
    """Return SOP Instance UID -> SOP Class UID of what a peer lists of a study, the class "" where it is not told.

    There is nothing where the peer answers no queries below the study.

    Raises:
        NoAssociationError: there was no association to ask over.
    """
    association = associate(config, peer, [build_context(STUDY_ROOT_FIND)])
    listed: dict[str, str] = {}
    try:
        for series_uid in _list_series(association, peer, study_uid):
            series = {"StudyInstanceUID": study_uid, "SeriesInstanceUID": series_uid}
            for answer in _ask_below(association, peer, "IMAGE", series, ("SOPInstanceUID", "SOPClassUID")):
                listed[str(answer.get("SOPInstanceUID", ""))] = str(answer.get("SOPClassUID", "") or "")
    except NoAssociationError:
        raise
    except PeerError:
        return {}
    finally:
        association.release()
    return {uid: sop_class for uid, sop_class in listed.items() if uid}


def _identifier(keys: Mapping[str, str]) -> Dataset:
    """Return the query; text beyond ASCII goes as UTF-8, which loses nothing (PS3.3 C.12.1.1.2)."""
    identifier = Dataset()
    if not all(value.isascii() for value in keys.values()):
        identifier.SpecificCharacterSet = "ISO_IR 192"
    identifier.QueryRetrieveLevel = "STUDY"
    for keyword in _RETURNED:
        setattr(identifier, keyword, "")
    for keyword, value in keys.items():
        if "\\" in value or not value.isprintable():  # several values, or bytes that are no text
            raise UnaskableKeyError(keyword)
        setattr(identifier, keyword, value)
    return identifier


def _list_series(association: Association, peer: Peer, study_uid: str) -> list[str]:
    answers = _ask_below(association, peer, "SERIES", {"StudyInstanceUID": study_uid}, ("SeriesInstanceUID",))
    found = (texts(answer, "SeriesInstanceUID") for answer in answers)
    return list(dict.fromkeys(uids[0] for uids in found if len(uids) == 1))


def _ask_below(
    association: Association, peer: Peer, level: str, keys: Mapping[str, str], returned: tuple[str, ...]
) -> list[Dataset]:
    """Query below the study; an answer that names another study or series is left out."""
    identifier = Dataset()
    identifier.QueryRetrieveLevel = level
    for keyword in returned:
        setattr(identifier, keyword, "")
    for keyword, value in keys.items():
        setattr(identifier, keyword, value)
    answers = _ask(association, peer, identifier)
    return [one for one in answers if all(texts(one, keyword) in ([], [value]) for keyword, value in keys.items())]


def _ask(association: Association, peer: Peer, identifier: Dataset) -> list[Dataset]:
    """Return the matches of one query.

    Raises:
        PeerError: the peer did not end it with success.
    """
    answers = list(advancing(association, peer, association.send_c_find(identifier, STUDY_ROOT_FIND)))
    code = answers[-1][0].get("Status") if answers else None
    if code is None:
        raise PeerError(f"{peer.ae_title} hung up on the query: it may not let our AE title ask")
    if code != 0x0000:
        raise PeerError(f"{peer.ae_title} ended the query with status 0x{code:04X}")
    return [match for _, match in answers if match is not None]


def _is_uid(match: Dataset) -> bool:
    """Say whether an answer names one study: a retrieval of no UID, or of several, would bring others."""
    uids = texts(match, "StudyInstanceUID")
    return len(uids) == 1 and UID(uids[0]).is_valid


def _study(match: Dataset) -> StudyFound:
    count = match.get("NumberOfStudyRelatedInstances")
    return StudyFound(
        study_uid="".join(texts(match, "StudyInstanceUID")),
        patient_id="\\".join(texts(match, "PatientID")),
        date="".join(texts(match, "StudyDate")),
        modalities=tuple(texts(match, "ModalitiesInStudy")),
        instances=int(count) if str(count or "").isdigit() else None,
    )

"""Retrieval at Study Root (PS3.4 C.4.2, C.4.3): a study on its way here, by C-MOVE or C-GET."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import AllTransferSyntaxes
from pynetdicom import AllStoragePresentationContexts, build_context, build_role, evt
from pynetdicom.events import Event

from dicom_node.config import Config, Peer
from dicom_node.deliver.calling import NoAssociationError, Responses, advancing, associate
from dicom_node.errors import PeerError

_MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
_GET = "1.2.840.10008.5.1.4.1.2.2.3"
_SUCCESS = 0x0000
_WARNING = 0xB000  # sub-operations are complete, some failed or with warnings (PS3.4 Table C.4-2)
_NONE_DONE = 0xA702  # unable to perform sub-operations: of this association's classes, the study may hold none
_UNKNOWN_DESTINATION = 0xA801
_OUT_OF_RESOURCES = 0xA700
_COUNTS = tuple(f"NumberOf{what}Suboperations" for what in ("Completed", "Warning", "Failed", "Remaining"))
_CLASSES_AT_MOST = 127  # in one association, beside the query's own context (PS3.8 9.3.2.2)


@dataclass(frozen=True, slots=True)
class Progress:
    """Sub-operations of a retrieval so far."""

    done: int = 0
    failed: int = 0
    remaining: int = 0
    warned: int = 0  # of those done, how many with a warning

    @property
    def total(self) -> int:
        """All of them."""
        return self.done + self.failed + self.remaining


@dataclass(frozen=True, slots=True)
class Ended:
    """How a peer ended a retrieval: its own count of it, which proves nothing of what came."""

    status: int
    progress: Progress

    @property
    def is_plain_success(self) -> bool:
        """Whether it claims that all went well, without a warning."""
        return self.status == _SUCCESS and not self.progress.failed and not self.progress.warned


Retrieval: TypeAlias = Generator[Progress, None, Ended]
"""How far a retrieval is, and how it ended."""

Keep = Callable[[FileMetaDataset, bytes], None]
"""Keeps one object durably, told what it is and given its encoded data set, or raises OSError."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What one association is to bring of a study: the objects of these classes."""

    study_uid: str
    classes: Sequence[str]
    keep: Keep


def move_study(config: Config, peer: Peer, study_uid: str) -> Retrieval:
    """Let a peer send a study to our own AE title (C-MOVE), and yield how far it is.

    Raises:
        PeerError: it would not.
    """
    association = associate(config, peer, [build_context(_MOVE)])
    try:
        responses = association.send_c_move(_identifier(study_uid), config.node.ae_title, _MOVE)
        return (yield from _follow(peer, advancing(association, peer, responses), Progress()))
    finally:
        association.release()


def get_study(config: Config, peer: Peer, study_uid: str, classes: Collection[str], keep: Keep) -> Retrieval:
    """Fetch a study over associations of ours (C-GET), for a peer that cannot call us; yield how far it is.

    An association has room for 127 storage classes; of more, each further association brings what its classes hold.

    Args:
        config: who we are.
        peer: who has it.
        study_uid: Study Instance UID.
        classes: SOP Class UIDs of what the study holds; none where that is not known, and all are proposed.
        keep: is given each object, and returns once it is safe.

    Raises:
        PeerError: it would not.
    """
    proposed = sorted(classes) or [*_every_class(), *config.node.extra_sop_classes]
    ended = Ended(_SUCCESS, Progress())
    for at in range(0, len(proposed), _CLASSES_AT_MOST):
        batch = proposed[at : at + _CLASSES_AT_MOST]
        ended = yield from _get(config, peer, _Wanted(study_uid, batch, keep), ended.progress)
    return ended


def _get(config: Config, peer: Peer, wanted: _Wanted, before: Progress) -> Retrieval:
    contexts = [build_context(_GET), *(build_context(one, list(AllTransferSyntaxes)) for one in wanted.classes)]
    roles = [build_role(one, scp_role=True) for one in wanted.classes]
    association = associate(config, peer, contexts, [(evt.EVT_C_STORE, _store, [wanted.keep])], roles)
    try:
        if _GET not in {context.abstract_syntax for context in association.accepted_contexts}:
            raise NoAssociationError(peer, 'offers no C-GET: take fetch = "move"', "park")
        responses = association.send_c_get(_identifier(wanted.study_uid), _GET)
        return (yield from _follow(peer, advancing(association, peer, responses), before))
    finally:
        association.release()


def _every_class() -> list[str]:
    return [str(context.abstract_syntax) for context in AllStoragePresentationContexts]


def _store(event: Event, keep: Keep) -> int:
    try:
        keep(event.file_meta, event.encoded_dataset(include_meta=False))
    except OSError:
        return _OUT_OF_RESOURCES
    return _SUCCESS


def _identifier(study_uid: str) -> Dataset:
    identifier = Dataset()
    identifier.QueryRetrieveLevel = "STUDY"
    identifier.StudyInstanceUID = study_uid
    return identifier


def _follow(peer: Peer, responses: Responses, before: Progress) -> Retrieval:
    """Yield the counts of each response, on top of what associations before have brought; return the last."""
    status, progress = Dataset(), before
    for status, _ in responses:
        completed, warned, failed, remaining = (int(status.get(keyword) or 0) for keyword in _COUNTS)
        done = before.done + completed + warned
        progress = Progress(done, max(0, failed - before.done), remaining, before.warned + warned)
        yield progress
    return Ended(_check(peer, status.get("Status")), progress)


def _check(peer: Peer, status: int | None) -> int:
    """Return a status that leaves it to what came whether the retrieval is complete."""
    if status is None:
        raise PeerError(f"{peer.ae_title} hung up on the retrieval: it may not let our AE title ask")
    if status == _UNKNOWN_DESTINATION:
        raise PeerError(f"{peer.ae_title} does not know where to send to: enter our AE title and address there")
    if status not in (_SUCCESS, _WARNING, _NONE_DONE):
        raise PeerError(f"{peer.ae_title} ended the retrieval with status 0x{status:04X}")
    return status

"""Verification and Storage as SCU (PS3.4 A, B): each object's outcome, as soon as it is known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

from pydicom import Dataset
from pydicom.filereader import read_file_meta_info
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import build_context
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext

from dicom_node.config import Config, Peer
from dicom_node.deliver.calling import NoAssociationError, associate
from dicom_node.deliver.comments import read_comment
from dicom_node.deliver.outcomes import DUPLICATE, Outcome, judge
from dicom_node.deliver.query import STUDY_ROOT_FIND, is_found
from dicom_node.deliver.transcoding import CONVERTIBLE, DECODABLE, transcode
from dicom_node.errors import ObjectError, PeerError

_VERIFICATION = "1.2.840.10008.1.1"
_CONTEXTS_AT_MOST = 128  # in one association (PS3.8 9.3.2.2: odd numbers of one byte)
_FALLBACKS = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
_NO_ANSWER = "the peer gave no answer, or ended the association"
_ENDED = "the association ended before the object's turn"
_SLOWEST_BYTES_PER_S = 1_000_000  # of a line that still counts as alive


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of one object.

    `status` is the C-STORE status, None where no answer came; `reason` is for a person and says nothing of the patient.
    `comment` is the peer's Error Comment, which may name the patient.
    """

    sop_instance_uid: str
    outcome: Outcome
    status: int | None
    reason: str
    comment: str = ""


@dataclass(frozen=True, slots=True)
class _Object:
    path: Path
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    size: int  # bytes

    @property
    def contexts(self) -> list[tuple[str, str]]:
        """Abstract and transfer syntax of each way in which it can be sent, the best first."""
        fallbacks = _FALLBACKS if self.transfer_syntax_uid in (*CONVERTIBLE, *DECODABLE) else ()
        return [(self.sop_class_uid, syntax) for syntax in dict.fromkeys((self.transfer_syntax_uid, *fallbacks))]


def echo(config: Config, peer: Peer) -> None:
    """Ask a peer whether it is there (C-ECHO).

    Raises:
        PeerError: it is not, or would not talk to us; the sentence says what to do.
    """
    association = associate(config, peer, [build_context(_VERIFICATION)])
    status = association.send_c_echo()
    association.release()
    if "Status" not in status:
        raise PeerError(f"{peer.ae_title} did not answer C-ECHO within {peer.timeout_s:g} s")
    if status.Status != 0x0000:
        raise PeerError(f"{peer.ae_title} answered C-ECHO with status 0x{status.Status:04X}")


def send(config: Config, peer: Peer, paths: Sequence[Path]) -> Iterator[Sent]:
    """Store files at a peer over one association; yield what became of each of them, in no promised order.

    A file goes out as it lies; only where the peer refuses its transfer syntax is it encoded in another, decompressed
    for that, under the same UID: no pixel differs. Nothing is raised for what a peer does: it is in the outcomes.
    """
    objects = []
    for path in paths:
        try:
            objects.append(_read(path))
        except Exception as error:  # noqa: BLE001 - pydicom raises a dozen kinds on broken bytes
            yield Sent(path.stem, "park", None, f"the file cannot be read ({type(error).__name__})")
    for group in _grouped(objects):
        yield from _send_group(config, peer, group)


def _read(path: Path) -> _Object:
    meta = read_file_meta_info(path)
    return _Object(
        path=path,
        sop_class_uid=str(meta.MediaStorageSOPClassUID),
        sop_instance_uid=str(meta.MediaStorageSOPInstanceUID),
        transfer_syntax_uid=str(meta.TransferSyntaxUID),
        size=path.stat().st_size,
    )


def _grouped(objects: Iterable[_Object]) -> Iterator[list[_Object]]:
    """Yield groups that fit into one association each; nearly always there is one."""
    group: list[_Object] = []
    contexts: set[tuple[str, str]] = {(STUDY_ROOT_FIND, "")}
    for one in objects:
        if group and len(contexts.union(one.contexts)) > _CONTEXTS_AT_MOST:
            yield group
            group, contexts = [], {(STUDY_ROOT_FIND, "")}
        group.append(one)
        contexts.update(one.contexts)
    if group:
        yield group


def _proposed(group: Iterable[_Object]) -> list[PresentationContext]:
    pairs = dict.fromkeys(pair for one in group for pair in one.contexts)
    return [*(build_context(*pair) for pair in pairs), build_context(STUDY_ROOT_FIND)]


def _send_group(config: Config, peer: Peer, group: Sequence[_Object]) -> Iterator[Sent]:
    try:
        association = associate(config, peer, _proposed(group))
    except NoAssociationError as error:
        for one in group:
            yield Sent(one.sop_instance_uid, error.outcome, None, str(error))
        return
    is_over = False  # pynetdicom's own word for it comes a moment later
    try:
        for one in group:
            sent = (
                Sent(one.sop_instance_uid, "unreached", None, _ENDED) if is_over else _send_one(association, peer, one)
            )
            is_over = is_over or sent.reason == _NO_ANSWER
            yield sent
    finally:
        association.release()


def _send_one(association: Association, peer: Peer, one: _Object) -> Sent:
    uid = one.sop_instance_uid
    accepted = {(str(cx.abstract_syntax), str(cx.transfer_syntax[0])) for cx in association.accepted_contexts}
    if not association.is_established:
        return Sent(uid, "unreached", None, _ENDED)
    if accepted.isdisjoint(one.contexts):
        return Sent(uid, "park", None, "the peer accepts no such object, or not its transfer syntax")
    _, syntax = next(context for context in one.contexts if context in accepted)
    association.dimse_timeout = peer.timeout_s + one.size / min(_SLOWEST_BYTES_PER_S, (peer.max_mbit or 8) * 1e5)
    try:
        response = _store(association, one, UID(syntax))
    except RuntimeError:
        return Sent(uid, "unreached", None, _ENDED)
    except ObjectError as error:
        return Sent(uid, "park", None, f"the object cannot be encoded for the peer: {error.problem}")
    except Exception as error:  # noqa: BLE001 - encoding raises whatever pydicom raises
        return Sent(uid, "park", None, f"the object cannot be encoded for the peer ({type(error).__name__})")
    return _judged(association, peer, one, response)


def _store(association: Association, one: _Object, syntax: UID) -> Dataset:
    """Send a file as it lies, or where the peer takes it in another transfer syntax only, a transcoded copy."""
    if syntax == one.transfer_syntax_uid:
        return association.send_c_store(one.path)
    with NamedTemporaryFile(suffix=".dcm") as copy:
        transcode(one.path, syntax, copy)
        copy.flush()
        return association.send_c_store(Path(copy.name))


def _judged(association: Association, peer: Peer, one: _Object, response: Dataset) -> Sent:
    uid = one.sop_instance_uid
    if "Status" not in response:
        return Sent(uid, "retry", None, _NO_ANSWER)
    status = int(response.Status)
    if status == DUPLICATE and is_found(association, peer, one.path):
        return Sent(uid, "stored", status, "the peer had the object already, as a query confirms")
    verdict = judge(status)
    reason = f"0x{status:04X} {verdict.meaning}" if verdict.meaning else ""
    return Sent(uid, verdict.outcome, status, reason, read_comment(response))

"""One C-STORE request: judged by its UIDs, kept durably, answered (PS3.4 B.2.3; PS3.7 C)."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from io import BytesIO
from typing import cast
from weakref import WeakKeyDictionary, ref

from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dsutils import encode_file_meta
from pynetdicom.events import Event

from dicom_node.errors import ObjectError
from dicom_node.receive.header import read_identity
from dicom_node.receive.incoming import Incoming
from dicom_node.receive.registrar import Arrived, Sender
from dicom_node.uids import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_NAME, is_uid

log = logging.getLogger(__name__)

SUCCESS = 0x0000
PROCESSING_FAILURE = 0x0110  # PS3.7 C.5.7: worth another attempt
OUT_OF_RESOURCES = 0xA700  # PS3.4 Table B.2-1: worth another attempt
DOES_NOT_MATCH = 0xA900  # PS3.4 Table B.2-1: the object itself is at fault

_PREAMBLE = bytes(128) + b"DICM"  # PS3.10 7.1


class Storing:
    """The handler of C-STORE requests; success means that the object's bytes are durable.

    An error of ours is never answered 0xCxxx: senders take that as final.
    """

    def __init__(self, incoming: Incoming, arrived: Callable[[Arrived], None], receiver: str) -> None:
        self._incoming = incoming
        self._arrived = arrived
        self._receiver = receiver
        self._senders: WeakKeyDictionary[Association, Sender] = WeakKeyDictionary()

    def __call__(self, event: Event) -> Dataset:
        """Return the status of one request."""
        request = cast(C_STORE, event.request)
        uid = str(request.AffectedSOPInstanceUID or "")
        name = uid if is_uid(uid) else "an object without a valid UID"
        try:
            self._store(event, request)
        except ObjectError as error:
            log.warning("%s from %r refused: %s", name, event.assoc.requestor.ae_title, error.problem)
            return _status(DOES_NOT_MATCH, error.problem)
        except OSError as error:
            log.error("%s cannot be kept: %s", name, error.strerror)  # noqa: TRY400 - no trace helps on a full disk
            return _status(OUT_OF_RESOURCES, "Storage is full or away; send again later")
        except Exception:
            log.exception("%s cannot be kept", name)
            return _status(PROCESSING_FAILURE, "Error at the receiver; send again later")
        return _status(SUCCESS)

    def _store(self, event: Event, request: C_STORE) -> None:
        if request.DataSet is None:
            raise ObjectError("C-STORE request", "no data set came")
        data_set = event.encoded_dataset(include_meta=False)
        identity = read_identity(BytesIO(data_set), event.context.transfer_syntax)
        if identity.sop_instance_uid != request.AffectedSOPInstanceUID:
            raise ObjectError(identity.sop_instance_uid, "SOPInstanceUID differs from the command's")
        if identity.sop_class_uid != request.AffectedSOPClassUID:
            raise ObjectError(identity.sop_instance_uid, "SOPClassUID differs from the command's")
        path = self._incoming.keep((_PREAMBLE, _file_meta(event), data_set))
        self._arrived(Arrived(path, self._sender(event.assoc)))

    def _sender(self, association: Association) -> Sender:
        sender = self._senders.get(association)
        if sender is None:
            sender = Sender(f"{self._receiver}.{uuid.uuid4().hex}", _pulse(association))
            self._senders[association] = sender
        return sender


def _pulse(association: Association) -> Callable[[], bool]:
    """Return a function that says whether an association lives, without keeping it in memory."""
    reference = ref(association)

    def is_alive() -> bool:
        alive = reference()
        return alive is not None and alive.is_alive()

    return is_alive


def _file_meta(event: Event) -> bytes:
    """Return the File Meta Information, with who sent it: the catalog can be rebuilt from it (PS3.10 7.1)."""
    meta = event.file_meta
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_NAME
    caller = event.assoc.requestor.ae_title
    meta.SourceApplicationEntityTitle = caller
    meta.SendingApplicationEntityTitle = caller
    meta.ReceivingApplicationEntityTitle = event.assoc.acceptor.ae_title
    return encode_file_meta(meta)


def _status(code: int, comment: str = "") -> Dataset:
    """Return a C-STORE response status; the comment is LO, at most 64 characters (PS3.7 C.4)."""
    status = Dataset()
    status.Status = code
    if comment:
        status.ErrorComment = comment[:64]
    return status

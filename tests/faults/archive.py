"""A strict archive that misbehaves on command: it keeps every byte it took and notices what differs when sent twice.

It says where it keeps an object, by SOP Instance UID (C-FIND, Study Root, IMAGE level).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from types import TracebackType
from typing import Literal, Self, TypeAlias, cast

from pydicom import Dataset, dcmread
from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts, _config, build_role, evt
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]  # made when the module is loaded
from pynetdicom.transport import ThreadedAssociationServer

from tests.faults.sending import CALLED

AE_TITLE = "ARCHIVE"
Mood: TypeAlias = Literal["well", "down", "refusing", "refusing for good", "out of resources", "aborting", "silent"]

_SUCCESS, _OUT_OF_RESOURCES, _RESOURCE_LIMITATION, _NO_SUCH_OBJECT = 0x0000, 0xA700, 0x0213, 0x0112
_PENDING = 0xFF00
_STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
_COMMITMENT, _COMMITMENT_INSTANCE = "1.2.840.10008.1.20.1", "1.2.840.10008.1.20.1.1"
_HOLD_AT_MOST_S = 120.0


class Archive:
    """`with Archive() as archive`; `mood` may be changed at any time."""

    def __init__(self) -> None:
        self.port = 0
        self.kept: dict[str, bytes] = {}  # SOP Instance UID -> file
        self.order: list[str] = []  # SOP Instance UIDs as they came
        self.altered: list[str] = []  # SOP Instance UIDs that came again with other bytes
        self.asked = 0  # C-STORE requests
        self._mood: Mood = "well"
        self.node_port = 0  # where commitment is reported to
        self._committing, self._may_commit = threading.Event(), threading.Event()
        self._may_commit.set()
        self._reached, self._go_on = threading.Event(), threading.Event()
        self._go_on.set()
        self._entity: AE | None = None

    def __enter__(self) -> Self:
        _config.LOG_HANDLER_LEVEL = "none"
        self._listen()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
        self._stop()

    def set_mood(self, mood: Mood) -> None:
        """Behave differently from now on; what is held goes on in the new mood."""
        was, self._mood = self._mood, mood
        if mood == "down":
            self._stop()
        elif was == "down":
            self._listen()
        if self._entity is not None:
            self._entity.maximum_associations = 0 if mood == "refusing" else 10
            self._entity.require_calling_aet = ["NOBODY"] if mood == "refusing for good" else []

    def hold(self) -> None:
        """Let the next C-STORE wait for its answer."""
        self._reached.clear()
        self._go_on.clear()

    def wait_until_reached(self, timeout_s: float) -> None:
        """Wait for a C-STORE that is held; raises TimeoutError."""
        if not self._reached.wait(timeout_s):
            raise TimeoutError(f"nothing was sent to the archive within {timeout_s:g} s")

    def hold_commitment(self) -> None:
        """Let requests for storage commitment wait for their report."""
        self._committing.clear()
        self._may_commit.clear()

    def wait_until_asked_to_commit(self, timeout_s: float) -> None:
        """Wait for a request that is held; raises TimeoutError."""
        if not self._committing.wait(timeout_s):
            raise TimeoutError(f"the archive was not asked for commitment within {timeout_s:g} s")

    def release(self) -> None:
        """Answer what was held."""
        self._go_on.set()
        self._may_commit.set()

    def objects(self, study_uid: str) -> list[Dataset]:
        """Return every object of a study that it holds."""
        read = [dcmread(BytesIO(file)) for file in list(self.kept.values())]
        return [one for one in read if one.StudyInstanceUID == study_uid]

    def _listen(self) -> None:
        entity = self._entity = AE(AE_TITLE)
        entity.add_supported_context(Verification)
        for context in AllStoragePresentationContexts:
            entity.add_supported_context(str(context.abstract_syntax), ALL_TRANSFER_SYNTAXES)
        entity.add_supported_context(_COMMITMENT)
        entity.add_supported_context(_STUDY_ROOT_FIND)
        handlers: list[evt.EventHandlerType] = [
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_N_ACTION, self._commit),
            (evt.EVT_C_FIND, self._find),
        ]
        server = entity.start_server(("127.0.0.1", self.port), block=False, evt_handlers=handlers)
        self.port = int(cast(ThreadedAssociationServer, server).server_address[1])

    def _stop(self) -> None:
        entity, self._entity = self._entity, None
        if entity is not None:
            entity.shutdown()

    def _store(self, event: evt.Event) -> int:
        self.asked += 1
        self._reached.set()
        self._go_on.wait(_HOLD_AT_MOST_S)
        return self._in_mood.get(self._mood, self._keep)(event)

    @property
    def _in_mood(self) -> dict[str, Callable[[evt.Event], int]]:
        return {
            "out of resources": lambda _: _OUT_OF_RESOURCES,
            "aborting": self._abort,
            "refusing": self._abort,
            "refusing for good": self._abort,
            "silent": self._say_nothing,
        }

    def _find(self, event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        wanted = event.identifier
        file = self.kept.get(str(wanted.SOPInstanceUID))
        if self._mood != "well":
            yield _OUT_OF_RESOURCES, None
            return
        if file is not None:
            one, match = dcmread(BytesIO(file)), Dataset()
            for keyword in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "PatientID"):
                setattr(match, keyword, one.get(keyword))
            if wanted.get("StudyInstanceUID", "") in ("", match.StudyInstanceUID):
                yield _PENDING, match
        yield _SUCCESS, None

    def _commit(self, event: evt.Event) -> tuple[int, None]:
        """Take a request for commitment, and report on a new association (PS3.4 J.3.3)."""
        self._committing.set()
        if self._mood == "out of resources":
            return _RESOURCE_LIMITATION, None
        if self._mood in {"aborting", "refusing", "refusing for good"}:
            event.assoc.abort()
        threading.Thread(target=self._report, args=(event.action_information,), daemon=True).start()
        return _SUCCESS, None

    def _report(self, wanted: Dataset) -> None:
        self._may_commit.wait(_HOLD_AT_MOST_S)
        if self._mood != "well":
            return
        report = Dataset()
        report.TransactionUID = wanted.TransactionUID
        kept = [item for item in wanted.ReferencedSOPSequence if item.ReferencedSOPInstanceUID in self.kept]
        gone = [item for item in wanted.ReferencedSOPSequence if item.ReferencedSOPInstanceUID not in self.kept]
        for item in gone:
            item.FailureReason = _NO_SUCH_OBJECT
        report.ReferencedSOPSequence = kept
        if gone:
            report.FailedSOPSequence = gone
        entity = AE(AE_TITLE)
        entity.add_requested_context(_COMMITMENT)
        role = build_role(_COMMITMENT, scp_role=True)
        association = entity.associate("127.0.0.1", self.node_port, ae_title=CALLED, ext_neg=[role])
        if association.is_established:
            association.send_n_event_report(report, 2 if gone else 1, _COMMITMENT, _COMMITMENT_INSTANCE)
            association.release()

    def _keep(self, event: evt.Event) -> int:
        uid = str(cast(C_STORE, event.request).AffectedSOPInstanceUID)
        file = event.encoded_dataset()
        self.order.append(uid)
        if self.kept.setdefault(uid, file) != file:
            self.altered.append(uid)
        return _SUCCESS

    def _abort(self, event: evt.Event) -> int:
        event.assoc.abort()
        return _OUT_OF_RESOURCES

    def _say_nothing(self, _event: evt.Event) -> int:
        while self._mood == "silent":
            time.sleep(0.05)
        return _OUT_OF_RESOURCES

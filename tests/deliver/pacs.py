"""A small archive that answers as a test says."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from pydicom import Dataset
from pydicom.uid import AllTransferSyntaxes, generate_uid
from pynetdicom import AE, AllStoragePresentationContexts, _config, build_role, evt
from pynetdicom.association import Association
from pynetdicom.events import Event

from dicom_node.config import Config, Peer
from dicom_node.uids import STORAGE_COMMITMENT, STORAGE_COMMITMENT_INSTANCE

VERIFICATION = "1.2.840.10008.1.1"
STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"


def _set() -> threading.Event:
    event = threading.Event()
    event.set()
    return event


@dataclass
class Pacs:
    """What it is set up to do, and what it has seen."""

    port: int = 0
    title: str = "PACS"  # its AE title
    status: Callable[[int], int] = lambda _number: 0x0000  # of the object with this number, from 1
    answers_queries: bool = True
    received: dict[str, tuple[str, bytes]] = field(default_factory=dict)  # transfer syntax and data set
    reads: threading.Event = field(default_factory=_set)  # it stops reading while this is not set
    query_s: float = 0.0  # for so long it says that it is not done, whatever it is asked
    associations: int = 0
    asked: int = 0
    series_count: int = 0  # what it says to queries at SERIES level
    commits: str = "no"  # no, same association, new association, never: how it answers requests for commitment
    unanswered: int = 0  # so many of the first requests get no report
    reports_to: Callable[[], int] = lambda: 0  # the port of a new association's acceptor, NODE
    failures: list[int] = field(default_factory=list)  # FailureReasons of the next requests, then none
    transactions: list[str] = field(default_factory=list)
    reports: list[Dataset] = field(default_factory=list)  # what we answered to its own request
    aborts_at: set[int] = field(default_factory=set)  # the numbers of the objects over which it aborts
    comment: str = ""  # the Error Comment of its answers to C-STORE
    order: list[str] = field(default_factory=list)  # SOP Instance UIDs as they came

    def peer(self, **settings: object) -> Peer:
        base = {"ae_title": "PACS", "host": "127.0.0.1", "port": self.port, "timeout_s": 5.0}
        return Peer.model_validate({**base, **settings})

    def on_data(self, _event: Event) -> None:
        self.reads.wait(20)

    def on_store(self, event: Event) -> int | Dataset:
        self.asked += 1
        status = self.status(self.asked)
        data_set = event.encoded_dataset(include_meta=False)
        uid = str(event.request.AffectedSOPInstanceUID)  # type: ignore[union-attr]
        if self.asked in self.aborts_at:
            event.assoc.abort()
            return status
        self.order.append(uid)
        self.received[uid] = (str(event.context.transfer_syntax), data_set)
        return self._commented(status) if self.comment else status

    def _commented(self, status: int) -> Dataset:
        response = Dataset()
        response.Status, response.ErrorComment = status, self.comment
        return response

    def on_find(self, event: Event) -> Iterator[tuple[int, Dataset | None]]:
        until = time.monotonic() + self.query_s
        while time.monotonic() < until and event.assoc.is_established:
            time.sleep(0.05)
            again = Dataset()
            again.QueryRetrieveLevel = event.identifier.QueryRetrieveLevel
            yield 0xFF00, again
        if event.identifier.QueryRetrieveLevel == "SERIES":
            match = Dataset()
            match.SeriesInstanceUID = event.identifier.SeriesInstanceUID
            match.NumberOfSeriesRelatedInstances = self.series_count
            yield 0xFF00, match
            return
        uid = event.identifier.SOPInstanceUID
        if self.answers_queries and uid in self.received:
            match = Dataset()
            match.SOPInstanceUID = uid
            yield 0xFF00, match
        yield 0x0000, None

    def on_action(self, event: Event) -> tuple[int, None]:
        self.transactions.append(event.action_information.TransactionUID)
        if self.commits != "never" and len(self.transactions) > self.unanswered:
            threading.Thread(target=self._report, args=(event.assoc, event.action_information)).start()
        return 0x0000, None

    def _report(self, association: Association, wanted: Dataset) -> None:
        time.sleep(0.1)  # behind the response
        report = Dataset()
        report.TransactionUID = wanted.TransactionUID
        failure = self.failures.pop(0) if self.failures else None
        items = list(wanted.ReferencedSOPSequence)
        for item in items if failure is not None else ():
            item.FailureReason = failure
        setattr(report, "ReferencedSOPSequence" if failure is None else "FailedSOPSequence", items)
        if self.commits == "new association":
            association = self._call_back()
        assert association.is_established
        event_type = 1 if failure is None else 2
        association.send_n_event_report(report, event_type, STORAGE_COMMITMENT, STORAGE_COMMITMENT_INSTANCE)
        if self.commits == "new association":
            association.release()

    def ask_commitment(self, objects: Sequence[Dataset]) -> None:
        """Ask the node whether it keeps objects."""
        wanted = Dataset()
        wanted.TransactionUID = generate_uid()
        wanted.ReferencedSOPSequence = [Dataset() for _ in objects]
        for item, one in zip(wanted.ReferencedSOPSequence, objects, strict=True):
            item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = one.SOPClassUID, one.SOPInstanceUID
        entity = AE(self.title)
        entity.add_requested_context(STORAGE_COMMITMENT)
        association = entity.associate("127.0.0.1", self.reports_to(), ae_title="NODE")
        status, _ = association.send_n_action(wanted, 1, STORAGE_COMMITMENT, STORAGE_COMMITMENT_INSTANCE)
        association.release()
        assert status.Status == 0x0000

    def on_report(self, event: Event) -> tuple[int, None]:
        self.reports.append(event.event_information)
        return 0x0000, None

    def _call_back(self) -> Association:
        entity = AE(self.title)
        entity.add_requested_context(STORAGE_COMMITMENT)
        role = build_role(STORAGE_COMMITMENT, scp_role=True)
        return entity.associate("127.0.0.1", self.reports_to(), ae_title="NODE", ext_neg=[role])

    def on_accepted(self, _event: Event) -> None:
        self.associations += 1


@contextmanager
def archive(
    pacs: Pacs | None = None,
    *,
    syntaxes: Sequence[str] = AllTransferSyntaxes,
    callers: Sequence[str] = (),
    classes: Sequence[str] = tuple(str(context.abstract_syntax) for context in AllStoragePresentationContexts),
    port: int = 0,
    title: str = "PACS",
) -> Iterator[Pacs]:
    pacs = pacs or Pacs()
    pacs.title = title
    _config.LOG_HANDLER_LEVEL = "none"
    entity = AE(title)
    entity.require_called_aet = True
    entity.require_calling_aet = list(callers)
    entity.add_supported_context(VERIFICATION)
    if pacs.answers_queries:
        entity.add_supported_context(STUDY_ROOT_FIND)
    if pacs.commits != "no":
        entity.add_supported_context(STORAGE_COMMITMENT, scu_role=True, scp_role=True)
    for sop_class in classes:
        entity.add_supported_context(sop_class, list(syntaxes))
    handlers: list[evt.EventHandlerType] = [
        (evt.EVT_C_STORE, pacs.on_store),
        (evt.EVT_C_FIND, pacs.on_find),
        (evt.EVT_N_ACTION, pacs.on_action),
        (evt.EVT_N_EVENT_REPORT, pacs.on_report),
        (evt.EVT_DATA_RECV, pacs.on_data),
        (evt.EVT_ACCEPTED, pacs.on_accepted),
    ]
    server = entity.start_server(("127.0.0.1", port), block=False, evt_handlers=handlers)
    assert server is not None
    pacs.port = server.server_address[1]
    try:
        yield pacs
    finally:
        threading.Timer(0.02, _knock, [pacs.port]).start()
        entity.shutdown()


def _knock(port: int) -> None:
    """Wake a server that is asked to stop: it looks only twice a second otherwise."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        pass


@contextmanager
def silent_server() -> Iterator[Pacs]:
    """A server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        held: list[socket.socket] = []
        accepting = threading.Thread(target=_hold, args=(server, held), daemon=True)
        accepting.start()
        yield Pacs(port=server.getsockname()[1])
        for connection in held:
            connection.close()


def _hold(server: socket.socket, held: list[socket.socket]) -> None:
    while True:
        try:
            held.append(server.accept()[0])
        except OSError:
            return


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def our_config(folder: Path) -> Config:
    return Config.model_validate({"folder": folder, "node": {"ae_title": "NODE"}})

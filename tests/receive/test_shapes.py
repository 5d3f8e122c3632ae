"""Every shape in which PS3.8 lets a message come, and what is answered to shapes that it does not allow."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.uid import UID, CTImageStorage, generate_uid
from pynetdicom import build_context

from dicom_node.catalog import Instance
from dicom_node.receive import command as dimse
from dicom_node.receive.association import INVALID_PARAMETER, MAXIMUM_PDU, UNEXPECTED_PDU, UNRECOGNIZED_PDU
from dicom_node.receive.receiver import Receiver
from dicom_node.receive.services import Answered, Offer, Request, Response
from tests.receive.node import Site, configure, running
from tests.receive.wire import (
    ABORT,
    COMMAND,
    COMMAND_LAST,
    CT,
    DATA_SET,
    DATA_SET_LAST,
    ECHO,
    VERIFICATION,
    command_of,
    data,
    open_wire,
)
from tests.support.dicom import ct_slice, data_set_bytes, encoded, series
from tests.support.malformed import DATA, fragment, pdu, request, store_command

_FEW = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One receiver for many shapes."""
    with running(tmp_path_factory.mktemp("shapes")) as site:
        yield site


def test_every_cut_into_fragments_and_pdus_is_stored_byte_for_byte(shared: Site) -> None:
    sent: dict[str, bytes] = {}

    @_FEW
    @given(
        st.lists(st.integers(0, 300), max_size=4),
        st.lists(st.integers(0, 900), max_size=8),
        st.lists(st.integers(1, 5), min_size=1, max_size=6),
        st.lists(st.integers(1, 700), max_size=6),
    )
    def check(command_cuts: list[int], data_cuts: list[int], per_pdu: list[int], sends: list[int]) -> None:
        uid = generate_uid()
        data_set = _data_set(uid)
        command = _cut(store_command(CTImageStorage, uid), command_cuts)
        fragments = [
            *_controlled(command, COMMAND, COMMAND_LAST),
            *_controlled(_cut(data_set, data_cuts), DATA_SET, DATA_SET_LAST),
        ]
        with open_wire(shared.receiver.port) as wire:
            for part in _cut(b"".join(_in_pdus(fragments, per_pdu)), sends):
                wire.send(part)
            assert wire.status() == 0
            wire.release()
        sent[uid] = data_set

    check()
    rows = {row.uid: row for row in shared.registered(len(sent))}
    assert {uid: data_set_bytes((shared.folder / row.path).read_bytes()) for uid, row in rows.items()} == sent


def _data_set(uid: str) -> bytes:
    dataset = ct_slice("1.2.3", "1.2.3.4")
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = UID(uid)
    return data_set_bytes(encoded(dataset))


def _cut(whole: bytes, cuts: Sequence[int]) -> list[bytes]:
    """Cut at sorted positions; equal ones leave an empty part between them."""
    places = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    return [whole[first:last] for first, last in pairwise(places)]


def _controlled(parts: Sequence[bytes], control: int, last: int) -> list[bytes]:
    controls = [*[control] * (len(parts) - 1), last]
    return [fragment(part, one, CT) for part, one in zip(parts, controls, strict=True)]


def _in_pdus(fragments: Sequence[bytes], per_pdu: Sequence[int]) -> Iterator[bytes]:
    """Put several fragments into one PDU, of the command and of the data set alike."""
    at, turn = 0, 0
    while at < len(fragments):
        count = per_pdu[turn % len(per_pdu)]
        yield pdu(DATA, b"".join(fragments[at : at + count]))
        at, turn = at + count, turn + 1


def test_requests_sent_ahead_are_answered_in_their_order(shared: Site) -> None:
    uids = [generate_uid() for _ in range(5)]
    ahead = [
        part
        for uid in uids
        for part in (
            data(store_command(CTImageStorage, uid), COMMAND_LAST),
            data(_data_set(uid), DATA_SET_LAST),
            data(command_of(dimse.C_ECHO, VERIFICATION, 7), COMMAND_LAST, ECHO),
        )
    ]
    with open_wire(shared.receiver.port) as wire:
        wire.send(*ahead)
        responses = [wire.response() for _ in range(2 * len(uids))]
        wire.release()
    assert [dimse.number(one, dimse.STATUS) for one in responses] == [0] * 10
    assert [dimse.text(one, dimse.AFFECTED_SOP_INSTANCE) for one in responses[::2]] == uids
    assert {dimse.number(one, dimse.RESPONDED_TO) for one in responses[1::2]} == {7}


def test_an_operation_that_nobody_offers_is_not_recognized(shared: Site) -> None:
    with open_wire(shared.receiver.port) as wire:
        wire.send(data(command_of(0x0020, CTImageStorage), COMMAND_LAST))
        assert wire.status() == 0x0211
        wire.send(data(command_of(0x0020, CTImageStorage, has_data=1), COMMAND_LAST), data(b"identifier", 2))
        assert wire.status() == 0x0211
        wire.release()


def test_a_cancel_of_what_is_done_is_ignored(shared: Site) -> None:
    cancel = {dimse.COMMAND_FIELD: dimse.as_us(dimse.C_CANCEL), dimse.DATA_SET_TYPE: dimse.as_us(dimse.NO_DATA_SET)}
    with open_wire(shared.receiver.port) as wire:
        wire.send(data(dimse.encode(cancel), COMMAND_LAST))
        wire.send(data(command_of(dimse.C_ECHO, VERIFICATION), COMMAND_LAST, ECHO))
        assert wire.status() == 0
        wire.release()


_STORE = data(store_command(CTImageStorage, "1.2.3"), COMMAND_LAST)
BROKEN = {
    "a data set before its command": (data(b"data", DATA_SET), UNEXPECTED_PDU),
    "a command within a data set": (_STORE + data(b"", COMMAND_LAST), UNEXPECTED_PDU),
    "another context within a message": (_STORE + data(b"data", DATA_SET, ECHO), INVALID_PARAMETER),
    "a context that was not accepted": (data(store_command(), COMMAND_LAST, 99), INVALID_PARAMETER),
    "a larger PDU than agreed": (pdu(DATA, b"", MAXIMUM_PDU + 1), INVALID_PARAMETER),
    "a fragment longer than its PDU": (pdu(DATA, fragment(b"12", 3, CT, length=5000)), INVALID_PARAMETER),
    "a fragment without a header": (pdu(DATA, b"\0\0\0\2"), INVALID_PARAMETER),
    "no command set": (data(b"nonsense", COMMAND_LAST), INVALID_PARAMETER),
    "a response": (data(command_of(0x8001, CTImageStorage), COMMAND_LAST), UNEXPECTED_PDU),
    "a second request for an association": (request("NODE"), UNEXPECTED_PDU),
    "an unknown PDU": (pdu(0x55, b""), UNRECOGNIZED_PDU),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_breaks_the_protocol_is_aborted_with_its_reason(shared: Site, what: str) -> None:
    sent, reason = BROKEN[what]
    with open_wire(shared.receiver.port) as wire:
        wire.send(sent)
        assert wire.receive() == (ABORT, bytes((0, 0, 2, reason)))


def test_an_object_that_was_cut_off_leaves_nothing(site: Site) -> None:
    with open_wire(site.receiver.port) as wire:
        wire.send(data(store_command(CTImageStorage, "1.2.3.4.5"), COMMAND_LAST), data(b"half", DATA_SET))
    assert site.store(series(1)) == [0]
    assert site.registered(1)[0].uid != "1.2.3.4.5"
    assert not list((site.folder / "incoming").iterdir())
    assert not [path for path in (site.folder / "ready").rglob("*") if path.is_file() and any(path.read_bytes())]


def test_a_further_service_is_offered_and_its_answer_fits_the_peer(tmp_path_factory: pytest.TempPathFactory) -> None:
    seen: list[Request] = []

    def action(request: Request) -> Answered:
        seen.append(request)
        return Answered(Response(0x0000, data_set=bytes(40_000)))

    push_model = "1.2.840.10008.1.20.1"
    offer = Offer(0x0130, action, [build_context(push_model)])
    receiver = Receiver(configure(tmp_path_factory.mktemp("offer")), [offer])
    receiver.start()
    with open_wire(receiver.port, [(5, push_model, "1.2.840.10008.1.2")]) as wire:
        wire.send(data(command_of(0x0130, push_model), COMMAND_LAST, 5))
        assert dimse.number(wire.response(), dimse.DATA_SET_TYPE) != dimse.NO_DATA_SET
        parts = [wire.receive()[1] for _ in range(3)]
        wire.release()
    receiver.stop()
    assert [len(part) for part in parts] == [16384, 16384, 40_000 - 2 * 16378 + 6]
    assert [part[5] for part in parts] == [DATA_SET, DATA_SET, DATA_SET_LAST]
    assert seen[0].context.abstract_syntax == push_model


def test_many_associations_store_at_a_time(site: Site) -> None:
    statuses: list[list[int]] = []
    datasets = [series(5) for _ in range(8)]
    threads = [threading.Thread(target=lambda one=one: statuses.append(site.store(one))) for one in datasets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert statuses == [[0] * 5] * 8
    assert len(site.registered(40)) == site.count(Instance) == 40

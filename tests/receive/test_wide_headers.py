"""Headers of a million items cost little and get their true reason; the largest legitimate ones are stored."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from pydicom.uid import EnhancedMRImageStorage, RTStructureSetStorage, SegmentationStorage

from dicom_node.catalog import Instance
from tests.faults.hostile import wide_headers
from tests.receive.node import Site
from tests.receive.wire import COMMAND_LAST, CT, DATA_SET_LAST, data, open_wire
from tests.support import wide
from tests.support.malformed import Wire, attack, store_command, stored
from tests.support.memory import at_most_mb

_FINAL, _KEPT, _OTHER_CLASS = 0xC000, 0x0000, 0x0122  # PS3.4 Table B.2-1; PS3.7 9.1.1.1.9
_TOO_MANY = "too many elements"


def _status(status: int) -> bytes:
    """Return the element (0000,0900) as a response has it."""
    return b"\0\0\0\t\2\0\0\0" + status.to_bytes(2, "little")


@pytest.mark.parametrize(
    ("attacked", "reason"),
    [
        (wide_headers.empty_items_deflated, _TOO_MANY),
        (wide_headers.referenced_items_deflated, _TOO_MANY),
        (wide_headers.delimited_items_deflated, _TOO_MANY),
        (wide_headers.empty_items, _TOO_MANY),
        (wide_headers.implicit_items, _TOO_MANY),
        (wide_headers.nested, "nested deeper than 32"),
        (wide_headers.unordered, "SOPClassUID is out of order"),
    ],
)
def test_what_is_more_than_is_read_of_any_object_is_refused_for_good_and_says_why(
    site: Site, attacked: Callable[[str], Wire], reason: str
) -> None:
    connection = attacked("NODE")
    with at_most_mb(60):
        heard = attack(site.receiver.port, connection, patience_s=10)
    assert _status(_FINAL) in heard
    assert reason.encode() in heard  # as the response's Error Comment
    assert not list((site.folder / "incoming").iterdir())


@pytest.mark.parametrize("attacked", [wide_headers.items_behind_the_uids_deflated, wide_headers.frames_deflated])
def test_what_is_wide_behind_its_uids_is_kept_and_registered(site: Site, attacked: Callable[[str], Wire]) -> None:
    with at_most_mb(60):
        heard = attack(site.receiver.port, attacked("NODE"), patience_s=10)
        assert _status(_KEPT) in heard
        site.registered(1)


@pytest.mark.parametrize(
    ("sop_class", "make"),
    [
        (SegmentationStorage, wide.segmentation),
        (EnhancedMRImageStorage, wide.enhanced_mr),
        (RTStructureSetStorage, wide.structure_set),
    ],
)
def test_the_largest_legitimate_headers_are_stored(site: Site, sop_class: str, make: Callable[[], bytes]) -> None:
    file = make()
    connection = stored(wide.data_set_of(file, sop_class), wide.INSTANCE, sop_class=sop_class)
    heard = attack(site.receiver.port, connection, patience_s=30)
    assert _status(_KEPT) in heard
    assert [row.series_uid for row in site.registered(1)] == [wide.SERIES]
    assert site.count(Instance) == 1


def test_a_command_of_another_class_than_its_presentation_context_is_answered_0122(site: Site) -> None:
    with open_wire(site.receiver.port) as wire:
        wire.send(data(store_command(SegmentationStorage), COMMAND_LAST), data(b"", DATA_SET_LAST, CT))
        assert wire.status() == _OTHER_CLASS
        wire.release()


def test_who_sends_object_after_object_beyond_the_limits_gets_one_answer_a_second(site: Site) -> None:
    connection = wide_headers.empty_items_deflated("NODE")
    began = time.monotonic()
    heard = [attack(site.receiver.port, connection, patience_s=10) for _ in range(3)]
    assert all(_status(_FINAL) in one for one in heard)
    assert time.monotonic() - began > 2

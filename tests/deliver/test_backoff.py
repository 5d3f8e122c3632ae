from __future__ import annotations

from dicom_node.config import Peer
from dicom_node.deliver import delay_s

PEER = Peer(ae_title="PACS", host="pacs", port=104, retry_s=10, retry_max_s=600)


def test_delays_grow_up_to_the_longest() -> None:
    delays = [delay_s(PEER, attempt, "1.2.3") for attempt in range(1, 12)]
    assert delays[:6] == sorted(delays[:6])
    assert 7.5 <= delays[0] <= 10
    assert all(450 <= delay <= 600 for delay in delays[7:])


def test_a_delay_depends_on_nothing_but_its_seed_and_attempt() -> None:
    assert delay_s(PEER, 3, "1.2.3") == delay_s(PEER, 3, "1.2.3")
    assert len({delay_s(PEER, 3, f"1.2.{number}") for number in range(20)}) == 20


def test_a_very_late_attempt_still_has_a_delay() -> None:
    assert delay_s(PEER, 10_000, "1.2.3") <= 600

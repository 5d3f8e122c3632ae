"""Senders that stand still: in the middle of a message not for long, between messages for a whole examination."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from dicom_node.config import Node
from dicom_node.receive import command as dimse
from dicom_node.receive.pace import Pace
from tests.faults.hostile.trickling import Kind, Trickle, Trickling
from tests.receive.node import Site, eventually
from tests.receive.wire import (
    ABORT,
    ACCEPTED,
    COMMAND_LAST,
    ECHO,
    VERIFICATION,
    Wire,
    command_of,
    connected,
    data,
    open_wire,
)
from tests.support.dicom import series
from tests.support.malformed import store_command


@dataclass
class Sender:
    """What a stream says of a sender; rates in bytes a second, times in seconds."""

    received: int = 0
    is_waiting: bool = True
    is_idle: bool = False
    now: float = 1000.0

    def __post_init__(self) -> None:
        self.pace = Pace(self, Node(), self.now)

    def send(self, rate: float, seconds: float) -> str:
        """Send so long in the middle of a message; return why the association has to end, if it has."""
        for _ in range(round(seconds * 2)):
            self.now += 0.5
            self.received += round(rate / 2)
            if problem := self.pace.look(self.now):
                return problem
        return ""


def test_two_gigabytes_come_at_two_megabits_a_second() -> None:
    assert Sender().send(rate=250_000, seconds=8_000) == ""


def test_a_network_that_is_away_for_a_while_is_forgiven() -> None:
    sender = Sender()
    assert [sender.send(rate, seconds) for rate, seconds in ((8_000, 60), (0, 100), (8_000, 60))] == ["", "", ""]
    assert sender.pace.slow_since_s == 0.0


def test_the_time_that_our_own_disk_takes_is_not_the_senders() -> None:
    assert Sender(is_waiting=False).send(rate=0, seconds=10_000) == ""


def test_next_to_nothing_in_the_middle_of_a_message_is_too_slow() -> None:
    sender = Sender()
    assert "in the middle of a message" in sender.send(rate=10, seconds=130)
    assert sender.now - sender.pace.slow_since_s > 120


def echo(wire: Wire) -> int:
    wire.send(data(command_of(dimse.C_ECHO, VERIFICATION), COMMAND_LAST, ECHO))
    return wire.status()


def is_admitted(site: Site) -> bool:
    with connected(site.receiver.port) as wire:
        return wire.receive()[0] == ACCEPTED


def test_an_association_may_be_silent_between_messages_for_longer_than_within_one(start: Callable[..., Site]) -> None:
    site = start(silence_s=1.0)
    with open_wire(site.receiver.port) as idle, open_wire(site.receiver.port) as stalled:
        assert echo(idle) == 0
        stalled.send(data(store_command(), COMMAND_LAST))
        assert stalled.receive()[0] == ABORT
        assert echo(idle) == 0


def test_an_association_that_is_idle_for_too_long_is_aborted(start: Callable[..., Site]) -> None:
    site = start(idle_s=0.5)
    with open_wire(site.receiver.port) as idle:
        assert idle.receive()[0] == ABORT


@pytest.mark.parametrize("kind", ["pdu", "message"])
def test_a_sender_of_a_byte_now_and_then_is_aborted_in_the_middle_of_a_message(
    start: Callable[..., Site], kind: Kind
) -> None:
    site = start(silence_s=1.0)
    with Trickling(site.receiver.port, Trickle(kind, sockets=1, every_s=0.1), "NODE") as attack:
        eventually(lambda: attack.calls > 1)


@pytest.mark.parametrize("kind", ["pdu", "idle"])
def test_who_holds_every_place_and_stands_still_gives_way_to_a_good_sender(
    start: Callable[..., Site], kind: Kind
) -> None:
    site = start(max_associations=6)
    with Trickling(site.receiver.port, Trickle(kind, sockets=6), "NODE") as attack:
        eventually(lambda: not is_admitted(site))
        eventually(lambda: is_admitted(site), within_s=20)
        assert site.store(series(3)) == [0, 0, 0]
        eventually(lambda: attack.held < 6)

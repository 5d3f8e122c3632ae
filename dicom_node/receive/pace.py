"""How an association gets on: whether it is idle between messages, or slow in the middle of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from dicom_node.config import Node

_BYTES_PER_KBIT = 125


class Progress(Protocol):
    """What is seen of an association's stream from another thread."""

    received: int  # bytes
    is_waiting: bool  # for the peer
    is_idle: bool  # between two messages


class Pace:
    """Looks at one association's stream from time to time.

    Between messages a sender may be silent for long: an ultrasound system or an endoscope holds one association for a
    whole examination. In the middle of a message it must not be slower than the least rate, or the message would hold
    its place and its thread for days. The time that this node itself takes, for its disk above all, does not count.
    """

    def __init__(self, stream: Progress, node: Node, now: float) -> None:
        self._stream = stream
        self._idle_s, self._silence_s = node.idle_s, node.silence_s
        self._least = node.min_kbit * _BYTES_PER_KBIT  # bytes per second
        self._last = self._whole = _Look(now, 0)
        self.slow_since_s = 0.0  # on the monotonic clock; 0 while enough comes
        self.received = 0  # bytes

    def look(self, now: float) -> str:
        """Return why the association is to end, empty while it may go on."""
        look = _Look(now, self._stream.received)
        fresh = look.received - self._last.received
        is_slow = self._stream.is_waiting and fresh < self._least * (now - self._last.at_s)
        if not is_slow or (self._stream.is_idle and fresh):
            self.slow_since_s = 0.0
        if is_slow and not self.slow_since_s:
            self.slow_since_s = self._last.at_s
        self._last, self.received = look, look.received
        return self._judge_idle(now) if self._stream.is_idle else self._judge_message(look)

    def _judge_idle(self, now: float) -> str:
        self._whole = self._last
        is_over = self.slow_since_s and now - self.slow_since_s > self._idle_s
        return f"was idle for {self._idle_s:g} s" if is_over else ""

    def _judge_message(self, look: _Look) -> str:
        """Judge a message in `silence_s` at a time, so that a pause of the network is forgiven."""
        count, time_s = look.received - self._whole.received, look.at_s - self._whole.at_s
        if not self._stream.is_waiting or count >= self._least * self._silence_s:
            self._whole = look
        elif time_s > self._silence_s:
            return f"sent {count} bytes in {time_s:.0f} s in the middle of a message"
        return ""


@dataclass(frozen=True, slots=True)
class _Look:
    at_s: float
    received: int

"""What the catalog says to a person: where every stack is, what waits for a peer, what waits for a person."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from dicom_node.catalog import (
    UNSENT,
    Catalog,
    Delivery,
    DeliveryState,
    Event,
    Instance,
    PeerState,
    Result,
    Run,
    Series,
    Stack,
    StackState,
    VersionState,
)
from dicom_node.conflicts import count_versions, say_versions
from dicom_node.errors import DicomNodeError
from dicom_node.printable import one_line

_SHOWN = 50
_SETTLED = (
    *(DeliveryState.STORED, DeliveryState.COMMITTED),
    *(DeliveryState.STOPPED, DeliveryState.MOVED, DeliveryState.WITHDRAWN),
)


class UnknownStackError(DicomNodeError):
    """No stack has the id that was asked for, or more than one begins with it."""


class CorrectedStackError(DicomNodeError):
    """A stack was made of images that were corrected since; it is never run or sent again."""


@dataclass(frozen=True, slots=True)
class Status:
    """The catalog at one moment."""

    instances: int
    pending_series: int  # received, not split yet
    stacks: Mapping[str, int]  # state -> count
    deliveries: Mapping[tuple[str, str], int]  # (peer, state) -> count
    away: Mapping[str, PeerState]  # peers that could not be reached of late
    queue: Sequence[tuple[Delivery, Result]]  # what is on its way to a peer or was given up, the next due first
    latest: Sequence[Stack]
    versions: Mapping[str, int]  # state -> count, of versions that are not current

    @property
    def unfinished(self) -> int:
        """How many series and stacks have no end yet."""
        ends = (StackState.DELIVERED, StackState.NOTHING, StackState.REFUSED, StackState.HELD, StackState.FAILED)
        return self.pending_series + sum(count for state, count in self.stacks.items() if state not in ends)


def read_status(catalog: Catalog) -> Status:
    """Count what there is and fetch the latest stacks."""
    with catalog.read() as session:
        pending = select(func.count()).where(
            (Series.arrived + Series.gone > Series.settled) | (Series.split < Series.generation)
        )
        by_state = session.execute(select(Stack.state, func.count()).group_by(Stack.state)).all()
        by_peer = select(Delivery.peer, Delivery.state, func.count()).group_by(Delivery.peer, Delivery.state)
        away = session.scalars(select(PeerState).where(PeerState.failures > 0)).all()
        return Status(
            instances=session.scalars(
                select(func.count())
                .select_from(Instance)
                .where(Instance.state == VersionState.CURRENT, Instance.removed_at == 0)
            ).one(),
            pending_series=session.scalars(pending.select_from(Series)).one(),
            stacks={str(state): count for state, count in by_state},
            deliveries={(peer, str(state)): count for peer, state, count in session.execute(by_peer).all()},
            away={peer.name: peer for peer in away},
            queue=_queue(session),
            versions=count_versions(session),
            latest=session.scalars(select(Stack).order_by(Stack.at.desc()).limit(_SHOWN)).all(),
        )


def render_status(status: Status) -> RenderableType:
    """Return the tables for a terminal."""
    counts = Table("stacks", "number", title=f"{status.instances} instances, {status.pending_series} series coming in")
    for state, count in sorted(status.stacks.items()):
        counts.add_row(state, str(count))
    peers = Table("peer", "results", "number", title="deliveries")
    for (peer, state), count in sorted(status.deliveries.items()):
        peers.add_row(peer, state, str(count))
    queue = _render_queue(status.queue) if status.queue else ""
    waits = (say_versions(status.versions), _say_misfiled(status.deliveries))
    return Group(counts, *filter(None, waits), peers, *_render_away(status.away), queue, render_stacks(status.latest))


def _say_misfiled(deliveries: Mapping[tuple[str, str], int]) -> str:
    count = sum(number for (_, state), number in deliveries.items() if state == DeliveryState.MISFILED)
    if not count:
        return ""
    where = "under a patient or study that their images have left"
    return f"{count} results may stand at a peer {where}; `dicom-node conflicts` shows them"


def _render_away(away: Mapping[str, PeerState]) -> Iterator[str]:
    for name, peer in sorted(away.items()):
        again = f"{datetime.fromtimestamp(peer.next_at, UTC):%H:%M:%S}Z"
        yield escape(f"{name} is away, {peer.failures} attempts, the next at {again}: {peer.reason}")


def _render_queue(queue: Sequence[tuple[Delivery, Result]]) -> Table:
    table = Table("peer", "result", "SOP Instance", "state", "attempts", "next", "why", title="send queue")
    for delivery, result in queue:
        again = _time(delivery.next_at)
        row = (delivery.peer, result.kind, f"…{result.uid[-12:]}", delivery.state, str(delivery.attempt), again)
        words = f" (its words: {delivery.comment})" if delivery.comment else ""
        table.add_row(*row, escape(f"{delivery.reason}{words}"))
    return table


def render_stacks(stacks: Sequence[Stack]) -> Table:
    """Return one row for each stack: when it last changed, what it is, where it is, and why."""
    table = Table("changed", "stack", "series", "what", "state")
    table.add_column("why", overflow="fold")  # nothing of a reason is cut
    for stack in stacks:
        what, why = escape(one_line(_what(stack.content))), escape(one_line(stack.reason))
        table.add_row(_time(stack.at), stack.id[:8], f"…{stack.series_uid[-12:]}", what, str(stack.state), why)
    return table


def stack_values(stack: Stack) -> dict[str, Any]:
    """Return a stack's row as plain values, for JSON."""
    return {
        "stack": stack.id,
        "study": stack.study_uid,
        "series": stack.series_uid,
        "what": _what(stack.content),
        "state": str(stack.state),
        "reason": stack.reason,
        "changed": as_time(stack.at),
    }


def status_values(status: Status) -> dict[str, Any]:
    """Return the catalog's state as plain values, for JSON."""
    return {
        "instances": status.instances,
        "pending_series": status.pending_series,
        "versions": dict(status.versions),
        "counts": dict(status.stacks),
        "deliveries": [
            {"peer": peer, "state": state, "results": count} for (peer, state), count in status.deliveries.items()
        ],
        "away": [
            {"peer": name, "attempts": peer.failures, "next": as_time(peer.next_at), "reason": peer.reason}
            for name, peer in status.away.items()
        ],
        "queue": [_queue_values(delivery, result) for delivery, result in status.queue],
        "stacks": [stack_values(stack) for stack in status.latest],
    }


def _queue_values(delivery: Delivery, result: Result) -> dict[str, Any]:
    return {
        "peer": delivery.peer,
        "kind": result.kind,
        "result": result.uid,
        "state": str(delivery.state),
        "attempts": delivery.attempt,
        "next": as_time(delivery.next_at),
        "reason": delivery.reason,
        "comment": delivery.comment,
    }


def as_time(at: float) -> str:
    """Return seconds since the epoch as ISO 8601 in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _time(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%m-%d %H:%M:%S}Z"


def history(catalog: Catalog, stack_id: str) -> tuple[Stack, list[tuple[float, str]]]:
    """Return a stack, its events and its results' by time (seconds since the epoch, text), then peers' own words."""
    with catalog.read() as session:
        stack = _find(session, stack_id)
        query = select(Result.uid).join(Run, Result.run_id == Run.id).where(Run.stack_id == stack.id)
        results = session.scalars(query).all()
        events = select(Event.at, Event.text).where(Event.subject.in_([stack.id, *results])).order_by(Event.at)
        told = [(at, text) for at, text in session.execute(events).all()]
        return stack, told + [(told[-1][0] if told else stack.at, words) for words in _comments(session, results)]


def run_records(catalog: Catalog, stack_id: str) -> list[dict[str, Any]]:
    """Return how a stack's runs stand and what is on record of each: remarks on the source, parts taken out, ..."""
    with catalog.read() as session:
        runs = session.scalars(select(Run).where(Run.stack_id == stack_id).order_by(Run.at, Run.pipeline)).all()
        return [{"pipeline": run.pipeline, "state": str(run.state), "record": dict(run.record)} for run in runs]


def say_record(run: Mapping[str, Any]) -> list[str]:
    """Return a run's record in lines for a person."""
    record, name = run["record"], run["pipeline"]
    lines = [f"{name}: remark: {text}" for text in record.get("remarks", ())]
    lines += [
        f"{name}: {one['parts']} part(s) of {one['of']} left out, {one['value']} {one['unit']} together"
        for one in record.get("removed", ())
    ]
    for about in ("completed attributes", "sequences that cannot be read"):
        if record.get(about):
            lines.append(f"{name}: {about}: {', '.join(record[about])}")
    return lines


def send_round_again(catalog: Catalog, stack_id: str, facts: Mapping[str, str], *, force: bool) -> Stack:
    """Let a stack be judged anew, with facts that a person has settled; `force` overrides the age limit.

    Raises:
        UnknownStackError: no stack, or several, begin with `stack_id`.
        CorrectedStackError: its images were corrected.
    """
    with catalog.write() as session:
        stack = _find(session, stack_id)
        if stack.corrected:
            raise CorrectedStackError(f"stack {stack.id[:8]} has ended for good: {stack.reason}")
        stack.overrides = {**stack.overrides, **facts, **({"force": "true"} if force else {})}
        stack.state, stack.reason, stack.attempt = StackState.NEW, "sent round again by a person", 0
        stack.turn += 1
        stack.at = time.time()
        session.add(Event(at=stack.at, subject=stack.id, text=f"sent round again: {dict(stack.overrides)}"))
        return stack


def retry_deliveries(catalog: Catalog) -> int:
    """Let everything that waits for a peer, or was given up, be sent or proved now; returns how many."""
    now = time.time()
    with catalog.write() as session:
        for peer in session.scalars(select(PeerState)).all():
            peer.next_at = now
        for row in session.scalars(select(Delivery).where(Delivery.state == DeliveryState.STORED)).all():
            row.next_at = now
        rows = session.scalars(select(Delivery).where(Delivery.state.in_((*UNSENT, DeliveryState.FAILED)))).all()
        for row in rows:
            row.state, row.next_at, row.first_at = DeliveryState.WAITING, now, now
            row.attempt += 1
        return len(rows)


def _queue(session: Session) -> list[tuple[Delivery, Result]]:
    query = (
        select(Delivery, Result)
        .join(Result, Delivery.result_uid == Result.uid)
        .where(Delivery.state.not_in(_SETTLED) | (Delivery.transaction_uid != ""))
        .order_by(Delivery.next_at)
        .limit(_SHOWN)
    )
    return [(delivery, result) for delivery, result in session.execute(query).all()]


def _comments(session: Session, results: Sequence[str]) -> list[str]:
    """Return what peers wrote beside their last statuses of results."""
    query = select(Delivery).where(Delivery.result_uid.in_(results), Delivery.comment != "").order_by(Delivery.peer)
    return [f"{one.peer} wrote of …{one.result_uid[-12:]}: {one.comment}" for one in session.scalars(query).all()]


def _find(session: Session, stack_id: str) -> Stack:
    found = session.scalars(select(Stack).where(Stack.id.startswith(stack_id, autoescape=True)).limit(2)).all()
    if len(found) != 1:
        raise UnknownStackError(f"{'no' if not found else 'more than one'} stack begins with {stack_id!r}")
    return found[0]


def _what(content: Mapping[str, Any]) -> str:
    facts = content["facts"]
    words = [str(*facts.get(name, ("",))[:1]) for name in ("Modality", "kind", "SeriesDescription")]
    return " ".join([*filter(None, words), f"({len(content['frames'])})"])

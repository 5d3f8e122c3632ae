"""How a stack moves on, and how it ends; every move leaves an event."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from dicom_node.catalog import UNSENT, Delivery, DeliveryState, Event, Result, Run, RunState, Stack, StackState
from dicom_node.config import Peer
from dicom_node.routing import Decision, remark_on


def move(session: Session, stack: Stack, state: StackState, reason: str = "") -> None:
    """Put a stack into a state, say why, and let the state's job start from its first attempt."""
    if stack.corrected or (stack.state, stack.reason) == (state, reason):
        return  # what was made of images that were corrected since has ended for good
    if stack.state != state:
        stack.attempt = 0
    stack.state, stack.reason, stack.at = state, reason, time.time()
    note(session, stack.id, f"{state}: {reason}" if reason else str(state))


def note(session: Session, subject: str, text: str) -> None:
    """Write down what happened to a UID or id, for people."""
    session.add(Event(at=time.time(), subject=subject, text=text))


def fail_stack(session: Session, stack: Stack, why: str) -> None:
    """End a stack whose job could not be done, and with the stack every run that has no end yet."""
    query = select(Run).where(Run.stack_id == stack.id, Run.state == RunState.PLANNED)
    for run in session.scalars(query).all():
        run.state, run.reason = RunState.FAILED, why
        note(session, stack.id, f"{run.pipeline}: {run.state}: {why}")
    move(session, stack, StackState.FAILED, why)


_UNDECIDED = (StackState.NEW, StackState.WAITING)


def settle(session: Session, stack: Stack, peers: dict[str, Peer], *, is_decided: bool = False) -> None:
    """Work out where a judged stack is, from its runs and deliveries; `is_decided` where it has just been judged.

    It is delivered once every required peer has every result. A stack that is held stays held: a person ends that; and
    that the reports of its gates are delivered says nothing of a stack that is yet to be judged or chosen.
    The stack's row is locked first: of two that deliver at the same time, the later one sees what the other has done.
    """
    session.flush()
    session.refresh(stack, with_for_update=True)
    if stack.corrected or stack.state == StackState.HELD or (stack.state in _UNDECIDED and not is_decided):
        return
    runs = session.scalars(select(Run).where(Run.stack_id == stack.id)).all()
    if any(run.state == RunState.PLANNED for run in runs):
        return
    deliveries = _deliveries(session, runs)
    required = [one for one in deliveries if one.peer in peers and peers[one.peer].required]
    if any(is_under_way(one, peers[one.peer]) for one in required):
        move(session, stack, StackState.DELIVERING)
    else:
        move(session, stack, *_end(stack, runs, deliveries, required))


def is_under_way(delivery: Delivery, peer: Peer) -> bool:
    """Say whether a delivery has no end yet: stored is one only where the peer is asked for no proof."""
    unproved = delivery.state == DeliveryState.STORED and peer.commitment != "none"
    return unproved or delivery.state in UNSENT


def _end(
    stack: Stack, runs: Sequence[Run], deliveries: Sequence[Delivery], required: Sequence[Delivery]
) -> tuple[StackState, str]:
    failed = [f"{run.pipeline}: {run.reason}" for run in runs if run.state == RunState.FAILED]
    failed += _unique(f"{one.peer}: {one.reason}" for one in required if one.state == DeliveryState.FAILED)
    refused = [f"{run.pipeline}: {run.reason}" for run in runs if run.state == RunState.REFUSED and not run.is_gate]
    decided = str((stack.decision or {}).get("reason", ""))
    picks = Decision.from_json(stack.decision).picks if stack.decision else ""
    if failed:
        return StackState.FAILED, "; ".join(failed) + picks
    if deliveries:
        only_gates = all(run.is_gate for run in runs)
        said = "; ".join([_what(runs, deliveries), *refused, *([decided] if only_gates else [])])
        return StackState.DELIVERED, said if only_gates else said + remark_on(stack.content["facts"]) + picks
    if refused:
        return StackState.REFUSED, "; ".join(refused) + picks
    if any(run.state == RunState.DONE and not run.is_gate for run in runs):
        return StackState.DELIVERED, f"results are kept here: the route sends to no peer{picks}"
    return StackState.NOTHING, decided


def _deliveries(session: Session, runs: Iterable[Run]) -> Sequence[Delivery]:
    ids = [run.id for run in runs]
    query = select(Delivery).join(Result, Delivery.result_uid == Result.uid).where(Result.run_id.in_(ids))
    return session.scalars(query).all()


def _what(runs: Sequence[Run], deliveries: Sequence[Delivery]) -> str:
    """Say which results are where; a peer that is not required may still lack some, or have refused them."""
    names = ", ".join(_unique(run.pipeline for run in runs if run.state == RunState.DONE))
    lacking = {one.peer for one in deliveries if one.state in UNSENT}
    refusing = {one.peer for one in deliveries if one.state == DeliveryState.FAILED}
    peers = _unique(one.peer for one in deliveries)
    said = [f"{names} to {', '.join(peer for peer in peers if peer not in lacking | refusing) or 'nobody yet'}"]
    if lacking:
        said.append(f"waits for {', '.join(peer for peer in peers if peer in lacking)}")
    if refusing:
        said.append(f"not taken by {', '.join(peer for peer in peers if peer in refusing)}")
    return "; ".join(said)


def _unique(words: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(words))

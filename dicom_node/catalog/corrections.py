"""What the correction of an image means for the stacks that were made of it: they end, and nothing of them goes out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from dicom_node.catalog.tables import Delivery, DeliveryState, Event, Result, Run, RunState, Stack, StackState

NOT_SENT = "not sent: "  # begins the reason of a result that no peer has


@dataclass(frozen=True, slots=True)
class Correction:
    """An image of a series that no longer counts there."""

    study_uid: str
    series_uid: str
    sop_instance_uid: str
    why: str  # for a person, e.g. "moved to study 1.2.3 by PACS"
    recalls: bool  # whether results that have left are to be withdrawn


def end_stacks(session: Session, corrections: Iterable[Correction], now: float) -> None:
    """End every stack that holds a corrected image; what has left of its results is to be withdrawn."""
    by_series: defaultdict[tuple[str, str], list[Correction]] = defaultdict(list)
    for one in corrections:
        by_series[one.study_uid, one.series_uid].append(one)
    for (study_uid, series_uid), theirs in by_series.items():
        query = select(Stack).where(
            Stack.study_uid == study_uid, Stack.series_uid == series_uid, Stack.corrected.is_(False)
        )
        for stack in session.scalars(query).all():
            frames = {frame["sop_instance_uid"] for frame in stack.content["frames"]}
            cause = next((one for one in theirs if one.sop_instance_uid in frames), None)
            if cause is not None:
                _end(session, stack, cause, now)


def _end(session: Session, stack: Stack, cause: Correction, now: float) -> None:
    stack.corrected, stack.state, stack.at = True, StackState.NOTHING, now
    stack.reason = f"nothing to run, because {cause.why}"
    session.add(Event(at=now, subject=stack.id, text=f"{stack.state}: {stack.reason}"))
    runs = session.scalars(select(Run).where(Run.stack_id == stack.id)).all()
    for run in runs:
        if run.state == RunState.PLANNED:
            run.state, run.reason = RunState.REFUSED, cause.why
    _stop(session, [run.id for run in runs], cause, now)


def _stop(session: Session, run_ids: Sequence[str], cause: Correction, now: float) -> None:
    query = select(Delivery).join(Result, Delivery.result_uid == Result.uid).where(Result.run_id.in_(run_ids))
    for delivery in session.scalars(query).all():
        if delivery.state == DeliveryState.WAITING:
            delivery.state, delivery.reason = DeliveryState.STOPPED, f"{NOT_SENT}{cause.why}"
        elif delivery.state in (DeliveryState.FAILED, DeliveryState.SENDING) and not cause.recalls:
            delivery.state, delivery.reason = DeliveryState.STOPPED, f"{delivery.reason}; then {cause.why}"
        elif cause.recalls:
            delivery.asked = int(delivery.state in (DeliveryState.STORED, DeliveryState.COMMITTED))
            delivery.state, delivery.reason = DeliveryState.RECALLED, cause.why
            delivery.next_at, delivery.first_at, delivery.transaction_uid = now, now, ""


def recall_late(delivery: Delivery, now: float) -> None:
    """Say of a result that was corrected while it was on its way that the peer has it after all."""
    delivery.asked = 1
    if delivery.state == DeliveryState.STOPPED and delivery.reason.startswith(NOT_SENT):
        delivery.state, delivery.reason = DeliveryState.RECALLED, delivery.reason.removeprefix(NOT_SENT)
        delivery.next_at = delivery.first_at = now

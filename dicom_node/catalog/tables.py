"""The tables. Times are seconds since the epoch, UTC; only `Delivery.comment` can name a patient."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, Enum, ForeignKey, ForeignKeyConstraint, Index, String, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class VersionState(StrEnum):
    """What a version of a SOP Instance counts for."""

    CURRENT = "current"  # it is split, run, sent and promised; at most one version of a SOP Instance
    SUPERSEDED = "superseded"  # a later one took its place, or it says the same in another encoding
    HELD = "held"  # contradicts the current one; a person decides
    REJECTED = "rejected"  # a rejection note names it (IHE RAD TF-1, Imaging Object Change Management)


class StackState(StrEnum):
    """Where a stack is on its way; the last five are ends."""

    NEW = "new"  # split off its series, not judged yet
    WAITING = "waiting"  # judged; `pick` decides once the study is quiet
    ROUTED = "routed"  # its runs are to be done
    DELIVERING = "delivering"  # its results are on their way
    DELIVERED = "delivered"
    NOTHING = "nothing to run"
    REFUSED = "refused"
    HELD = "held"  # waits for a person
    FAILED = "failed"


class RunState(StrEnum):
    """Where one pipeline's run on one stack is."""

    PLANNED = "planned"
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"


class DeliveryState(StrEnum):
    """Where one result is on its way to one peer."""

    WAITING = "waiting"
    SENDING = "sending"  # a job has it in hand; as good as waiting when that job is gone
    STORED = "stored"  # the end where the peer is asked for no proof
    COMMITTED = "committed"  # the peer has proved that it keeps the object
    FAILED = "failed"  # parked: the peer refused it for good, or it was tried for too long
    STOPPED = "stopped"  # its images were corrected before it was sent
    RECALLED = "recalled"  # its images were corrected after it was sent; the peer is to be asked where it stands
    MOVED = "moved"  # the peer has moved it along with its images; nothing was to be done
    WITHDRAWN = "withdrawn"  # a rejection note at the peer names it
    MISFILED = "misfiled"  # it stands, or may stand, where its images no longer are; waits for a person


UNSENT = (DeliveryState.WAITING, DeliveryState.SENDING)


UNFINISHED = (StackState.NEW, StackState.WAITING, StackState.ROUTED, StackState.DELIVERING)


def _where(condition: str) -> dict[str, Any]:
    """Return what makes an index a partial one, in both databases."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


class Base(DeclarativeBase):
    """Base of every table."""


class Study(Base):
    """One study that anything was received of."""

    __tablename__ = "study"
    uid: Mapped[str] = mapped_column(String(64), primary_key=True)
    first_at: Mapped[float]
    last_at: Mapped[float]


class Series(Base):
    """One series of one study; a generation opens each time it has fallen silent with instances that came or left."""

    __tablename__ = "series"
    study_uid: Mapped[str] = mapped_column(ForeignKey("study.uid"), primary_key=True)
    uid: Mapped[str] = mapped_column(String(64), primary_key=True, index=True)
    last_at: Mapped[float] = mapped_column(index=True)
    arrived: Mapped[int] = mapped_column(default=0)  # versions that became current, counted as their rows are made
    gone: Mapped[int] = mapped_column(default=0)  # of them, those that another version displaced or a note rejected
    settled: Mapped[int] = mapped_column(default=0)  # of arrived and gone, how many the latest generation has seen
    generation: Mapped[int] = mapped_column(default=0)  # the latest that was opened
    split: Mapped[int] = mapped_column(default=0)  # the latest that was split into stacks
    attempt: Mapped[int] = mapped_column(default=0)  # at splitting this generation
    headers: Mapped[int] = mapped_column(default=0)  # how often instances came again with another header
    caller: Mapped[str] = mapped_column(String(16), default="")  # calling AE title, once it was split
    opened_at: Mapped[float] = mapped_column(default=0.0, index=True)  # when its first generation was
    expected: Mapped[int] = mapped_column(default=0)  # instances, by header or source; 0 is not known
    counted_at: Mapped[float] = mapped_column(default=0.0)  # when that was asked
    removed_at: Mapped[float] = mapped_column(default=0.0)  # when its objects were, for age or space; 0 is not


class Instance(Base):
    """One version of a SOP Instance on disk: a data set that was acknowledged."""

    __tablename__ = "instance"
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)  # of the file from `data_set_at` on
    data_set_at: Mapped[int] = mapped_column(default=0)  # byte; 0 in rows of the time when whole files were hashed
    uid: Mapped[str] = mapped_column(String(64), index=True)  # SOP Instance UID
    study_uid: Mapped[str] = mapped_column(String(64))
    series_uid: Mapped[str] = mapped_column(String(64))
    sop_class_uid: Mapped[str] = mapped_column(String(64))
    transfer_syntax_uid: Mapped[str] = mapped_column(String(64))
    patient: Mapped[str] = mapped_column(String(32), default="")  # digest of PatientID and its issuer; "" not known
    path: Mapped[str]  # below the storage folder
    size: Mapped[int]  # bytes of the file
    caller: Mapped[str] = mapped_column(String(16))  # calling AE title
    address: Mapped[str] = mapped_column(String(64), default="")  # of the caller; "" where the file does not say
    certificate: Mapped[str] = mapped_column(String(64), default="")  # SHA-256 of the caller's; "" without TLS
    at: Mapped[float]
    state: Mapped[VersionState] = mapped_column(
        Enum(VersionState, native_enum=False, length=16), default=VersionState.CURRENT
    )
    reason: Mapped[str] = mapped_column(default="")  # of any state but current; of a current one why it cannot be read
    correction: Mapped[int] = mapped_column(default=0)  # how many versions before this one it made untrue
    committed_until: Mapped[float] = mapped_column(default=0.0)  # to which its sender was promised that it is kept
    removed_at: Mapped[float] = mapped_column(default=0.0)  # when its file was, for age or space; 0 is on disk

    __table_args__ = (
        ForeignKeyConstraint(["study_uid", "series_uid"], ["series.study_uid", "series.uid"], name="instance_series"),
        Index("ix_instance_series", "study_uid", "series_uid"),
        Index("one_current_version", "uid", unique=True, **_where("state = 'CURRENT'")),
        Index("version_by_state", "state", **_where("state <> 'CURRENT'")),
    )


class OpenAssociation(Base):
    """An association that has sent to a study and is still open; the study is not quiet while it is."""

    __tablename__ = "open_association"
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    study_uid: Mapped[str] = mapped_column(String(64), primary_key=True)


class Stack(Base):
    """Frames of one series that belong together; the id is derived from them, so the same frames are the same stack."""

    __tablename__ = "stack"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    series_uid: Mapped[str] = mapped_column(String(64), index=True)
    study_uid: Mapped[str] = mapped_column(ForeignKey("study.uid"), index=True)
    generation: Mapped[int]
    number: Mapped[int]  # within its series and generation, from 1
    state: Mapped[StackState] = mapped_column(index=True)
    reason: Mapped[str] = mapped_column(default="")
    content: Mapped[dict[str, Any]] = mapped_column(JSON)  # images.Stack.to_json()
    shows: Mapped[str] = mapped_column(String(64), default="", index=True)  # digest of pixels and geometry
    patient: Mapped[str] = mapped_column(String(32), default="")  # digest of PatientID and its issuer; "" not known
    decision: Mapped[dict[str, Any] | None] = mapped_column(JSON)  # routing.Decision.to_json()
    overrides: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # facts that a person has settled
    priority: Mapped[int] = mapped_column(default=5)
    prior: Mapped[str] = mapped_column(default="")  # what came of asking for one, where its route needs it
    backlog: Mapped[bool] = mapped_column(default=False)  # its caller sent more than is live work
    attempt: Mapped[int] = mapped_column(default=0)  # at the job that its state asks for
    turn: Mapped[int] = mapped_column(default=0)  # how often a person has sent it round again
    corrected: Mapped[bool] = mapped_column(default=False)  # its images are no longer what it was made of: it has ended
    at: Mapped[float]  # of the last change

    __table_args__ = (
        ForeignKeyConstraint(["study_uid", "series_uid"], ["series.study_uid", "series.uid"], name="stack_series"),
    )


class Run(Base):
    """One pipeline on one stack."""

    __tablename__ = "run"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    stack_id: Mapped[str] = mapped_column(ForeignKey("stack.id"), index=True)
    pipeline: Mapped[str]
    is_gate: Mapped[bool] = mapped_column(default=False)
    send_to: Mapped[list[str]] = mapped_column(JSON, default=list)
    state: Mapped[RunState]
    reason: Mapped[str] = mapped_column(default="")
    version: Mapped[str] = mapped_column(default="")
    weights: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    record: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # seconds, completed attributes
    at: Mapped[float]  # when it was planned
    headers: Mapped[int] = mapped_column(default=0)  # its series' count when its results were encoded
    attempt: Mapped[int] = mapped_column(default=0)  # at encoding them again


class Result(Base):
    """One DICOM object that we made; encoded once, kept, and only sent again."""

    __tablename__ = "result"
    uid: Mapped[str] = mapped_column(String(64), primary_key=True)
    run_id: Mapped[str] = mapped_column(ForeignKey("run.id"), index=True)
    kind: Mapped[str] = mapped_column(String(16))  # SEG, SR, SC
    sop_class_uid: Mapped[str] = mapped_column(String(64))
    path: Mapped[str]  # below the storage folder
    sha256: Mapped[str] = mapped_column(String(64))  # of the file
    shows: Mapped[str] = mapped_column(String(64), default="", index=True)  # digest of pixels and geometry
    at: Mapped[float]


class Delivery(Base):
    """One result on its way to one peer."""

    __tablename__ = "delivery"
    result_uid: Mapped[str] = mapped_column(ForeignKey("result.uid"), primary_key=True)
    peer: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[DeliveryState] = mapped_column(index=True)
    attempt: Mapped[int] = mapped_column(default=0)  # at sending it
    status: Mapped[int | None]  # the last C-STORE status
    reason: Mapped[str] = mapped_column(default="")
    comment: Mapped[str] = mapped_column(default="", server_default="")  # a peer's own words, of anybody
    first_at: Mapped[float]  # since when it is tried: to be stored, then to be proved
    next_at: Mapped[float]  # when the next attempt, or the end of the wait for an answer, is due
    asked: Mapped[int] = mapped_column(default=0)  # how often a proof was; of what is recalled, 1 if it was stored
    transaction_uid: Mapped[str] = mapped_column(String(64), default="", index=True)  # of the open request


class PeerState(Base):
    """How a peer has answered of late: what waits for one that is away waits for the peer, not each for itself."""

    __tablename__ = "peer_state"
    name: Mapped[str] = mapped_column(primary_key=True)
    failures: Mapped[int] = mapped_column(default=0)  # associations in a row that did not come about
    next_at: Mapped[float] = mapped_column(default=0.0)  # not called before
    reason: Mapped[str] = mapped_column(default="")
    proofs: Mapped[int] = mapped_column(default=0)  # how often a job has asked it for proofs


class CommitmentRequest(Base):
    """A sender's question whether we keep what we acknowledged (PS3.4 J.3.2); removed once it is answered."""

    __tablename__ = "commitment_request"
    peer: Mapped[str] = mapped_column(primary_key=True)
    transaction_uid: Mapped[str] = mapped_column(String(64), primary_key=True)
    objects: Mapped[dict[str, str]] = mapped_column(JSON)  # SOP Instance UID -> SOP Class UID
    attempt: Mapped[int]
    first_at: Mapped[float]
    next_at: Mapped[float]


class Event(Base):
    """What happened to what, for people; never read by the program."""

    __tablename__ = "event"
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[float]
    subject: Mapped[str] = mapped_column(index=True)  # a UID or id
    text: Mapped[str]

    __table_args__ = (Index("event_by_time", "at"),)


SUPERVISOR = "supervisor"
"""The lease of the one supervisor of a catalog."""


class Lease(Base):
    """A work process or a supervisor that is alive; when a work process falls silent another takes its jobs."""

    __tablename__ = "lease"
    executor: Mapped[str] = mapped_column(primary_key=True)  # or SUPERVISOR, or "reconciler": the right to reconcile
    until: Mapped[float]
    holder: Mapped[str] = mapped_column(default="")  # of the right to reconcile or to supervise

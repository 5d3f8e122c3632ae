"""Bring one series to a step of its way and keep it there while a fault strikes."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress

from sqlalchemy import select

from dicom_node.catalog import Run, RunState, Stack
from tests.faults.databases import are_free, catalog_locked
from tests.faults.house import House
from tests.faults.sending import Modality

_REACH_S = 120.0
_HALF = 0.5
_A_WRITE_S = 0.002


@contextmanager
def receiving(house: House, modality: Modality) -> Iterator[None]:
    """Half of the series is acknowledged and its association is open."""
    half, go_on = int(len(modality.images) * _HALF), threading.Event()
    sending = threading.Thread(target=modality.send, args=(half,), kwargs={"then": go_on})
    sending.start()
    try:
        house.wait(lambda: len(modality.acknowledged) == half, _REACH_S, "half a series")
        yield
    finally:
        go_on.set()
        sending.join()


@contextmanager
def registering(house: House, modality: Modality) -> Iterator[None]:
    """Everything is acknowledged, and no row could be made: the catalog is held by somebody else."""
    with catalog_locked(house.node.config):
        house.catalog_is_held = True
        try:
            modality.send_all(_REACH_S)
            yield
        finally:
            house.catalog_is_held = False


@contextmanager
def gating(house: House, modality: Modality) -> Iterator[None]:
    """The gate's model runs."""
    yield from _in_model(house, modality, "gating")


@contextmanager
def inferring(house: House, modality: Modality) -> Iterator[None]:
    """The route's model runs."""
    yield from _in_model(house, modality, "inferring")


@contextmanager
def encoding(house: House, modality: Modality) -> Iterator[None]:
    """The model has answered, its results are being encoded: the work process is stopped in the middle of it."""
    modality.send_all(_REACH_S)
    house.wait(lambda: is_encoding(house, modality.study_uid), _REACH_S, "encoding to begin")
    stopped = house.pids("worker")
    _stop_between_writes(house, stopped)
    try:
        assert is_encoding(house, modality.study_uid), "encoding was over before it could be stopped"
        yield
    finally:
        _signal(stopped, signal.SIGCONT)


@contextmanager
def sending(house: House, modality: Modality) -> Iterator[None]:
    """The archive has the first result and does not answer yet."""
    house.archive.hold()
    modality.send_all(_REACH_S)
    house.archive.wait_until_reached(_REACH_S)
    yield
    house.release()


@contextmanager
def awaiting_commitment(house: House, modality: Modality) -> Iterator[None]:
    """The archive has everything and was asked for commitment; its report is yet to come."""
    house.archive.hold_commitment()
    modality.send_all(_REACH_S)
    house.archive.wait_until_asked_to_commit(_REACH_S)
    yield
    house.release()


def _in_model(house: House, modality: Modality, step: str) -> Iterator[None]:
    house.hold(step)
    modality.send_all(_REACH_S)
    house.wait_until_reached(step, _REACH_S)
    yield
    house.release()


def _stop_between_writes(house: House, pids: Iterable[int]) -> None:
    """Stop processes where they hold no database; in the middle of a write they would hold it for everybody."""
    _signal(pids, signal.SIGSTOP)
    while not are_free(house.node.config):
        _signal(pids, signal.SIGCONT)
        time.sleep(_A_WRITE_S)
        _signal(pids, signal.SIGSTOP)


def _signal(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def is_encoding(house: House, study_uid: str) -> bool:
    """Say whether the marker has answered and its results have no rows yet."""
    query = select(Run).join(Stack, Run.stack_id == Stack.id).where(Stack.study_uid == study_uid)
    with house.node.catalog.read() as session:
        runs = session.scalars(query.where(Run.pipeline == "marker", Run.state == RunState.PLANNED)).all()
    return any("seconds" in run.record for run in runs)


STEPS: Mapping[str, Callable[[House, Modality], AbstractContextManager[None]]] = {
    "receiving": receiving,
    "registering": registering,
    "gating": gating,
    "inferring": inferring,
    "encoding": encoding,
    "sending": sending,
    "awaiting commitment": awaiting_commitment,
}

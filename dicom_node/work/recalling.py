"""The job that settles, at one peer, results whose images were corrected after they had left (IHE RAD TF-1, IOCM)."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from dicom_node.catalog import Catalog, Delivery, DeliveryState, Result, Run, Stack
from dicom_node.catalog.corrections import NOT_SENT
from dicom_node.config import Config
from dicom_node.deliver import NoAssociationError, delay_s
from dicom_node.deliver.locating import Where, locate_objects
from dicom_node.results import EncodedFile
from dicom_node.work.durable import Step
from dicom_node.work.ending import note
from dicom_node.work.faults import say_fault
from dicom_node.work.lasting import passes
from dicom_node.work.making import Making
from dicom_node.work.peers import is_away, peer_answered, peer_failed
from dicom_node.work.running import keep_result
from dicom_node.work.wanted import FIRST, Wanted, peer_queue

_UNKNOWN: Mapping[Where, str] = {
    "not found": "the peer does not find it, though it stored it",
    "not said": "the peer does not say where it keeps it",
}


class Recalling:
    """Asks a peer where it keeps each result, and sends a rejection note for what stands where it was sent."""

    def __init__(self, config: Config, catalog: Catalog) -> None:
        self._config = config
        self._catalog = catalog
        self._making = Making(config, catalog)

    def __call__(self, step: Step, *args: str) -> None:
        """Do the job for (peer, stack id)."""
        peer, key = args
        step("recall", self._recall, peer, key)

    def failed(self, peer: str, key: str, error: str) -> None:
        """Try again later."""
        with self._catalog.write() as session:
            for delivery in _recalled(session, peer, key):
                delivery.attempt += 1
                delivery.next_at = time.time() + delay_s(self._config.peers[peer], delivery.attempt, key)
            note(session, key, f"{peer}: results to be withdrawn: {error}")
            self._give_up(session, peer, key, error)

    def _recall(self, name: str, key: str) -> None:
        peer, paths = self._config.peers[name], self._paths(name, key)
        if not paths:
            return
        missing = [path for path in paths.values() if not path.exists()]
        try:
            found = locate_objects(self._config, peer, [path for path in paths.values() if path not in missing])
        except NoAssociationError as error:
            with self._catalog.write() as session:
                peer_failed(session, self._config, name, str(error))
                self._give_up(session, name, key, str(error))
            return
        places: dict[str, Where] = {uid: found.get(path, "not said") for uid, path in paths.items()}
        notes = self._notes(key, [uid for uid, place in places.items() if place == "where it was sent"], name)
        with self._catalog.write() as session:
            peer_answered(session, name)
            self._keep(session, key, name, places, notes)

    def _give_up(self, session: Session, name: str, key: str, error: str) -> None:
        """Leave to a person what a peer could not be asked for in `give_up_after_h`."""
        give_up_after_h = self._config.peers[name].give_up_after_h
        for delivery in _recalled(session, name, key):
            if time.time() - delivery.first_at > give_up_after_h * 3600:
                delivery.state = DeliveryState.MISFILED
                delivery.reason += f"; the peer could not be asked for {give_up_after_h:g} h: {error}"
                note(session, delivery.result_uid, f"{name}: {delivery.state}: {delivery.reason}")

    def _paths(self, name: str, key: str) -> dict[str, Path]:
        with self._catalog.read() as session:
            if is_away(session, name):
                return {}
            uids = [one.result_uid for one in _recalled(session, name, key)]
            return {uid: self._config.storage_folder / session.get_one(Result, uid).path for uid in uids}

    def _notes(self, key: str, uids: Sequence[str], name: str) -> dict[str, EncodedFile]:
        """Encode a rejection note for each run whose results stand where they were sent; by result."""
        if not self._config.peers[name].rejection_notes:
            return {}
        notes: dict[str, EncodedFile] = {}
        with self._catalog.read() as session:
            stack = session.get_one(Stack, key)
            results = session.scalars(select(Result).where(Result.uid.in_(uids)).order_by(Result.at)).all()
            runs = {run_id: session.get_one(Run, run_id) for run_id in {one.run_id for one in results}}
        for run_id, run in runs.items():
            theirs = [one for one in results if one.run_id == run_id]
            try:
                file = self._making.withdrawal(run, stack, theirs)
            except Exception as error:
                if passes(error):
                    raise
                self._not_noted(key, run, error)
                continue
            notes.update({one.uid: file for one in theirs})
        return notes

    def _not_noted(self, key: str, run: Run, error: Exception) -> None:
        """Write down why there is no rejection note, e.g. that the images are gone: a person has to settle that."""
        with self._catalog.write() as session:
            note(session, key, f"{run.pipeline}: no rejection note can be made: {say_fault(error)}")

    def _keep(
        self, session: Session, key: str, name: str, places: Mapping[str, Where], notes: Mapping[str, EncodedFile]
    ) -> None:
        for delivery in _recalled(session, name, key):
            place = places.get(delivery.result_uid)
            if place is None:  # recalled since
                continue
            file = notes.get(delivery.result_uid)
            delivery.state, delivery.reason = _end(delivery, place, file)
            if file is not None:
                run_id = session.get_one(Result, delivery.result_uid).run_id
                keep_result(session, self._config, session.get_one(Run, run_id), file, [name])
            note(session, delivery.result_uid, f"{name}: {delivery.state}: {delivery.reason}")


def _end(delivery: Delivery, place: Where, file: EncodedFile | None) -> tuple[DeliveryState, str]:
    why = delivery.reason
    if place == "elsewhere":
        return DeliveryState.MOVED, f"moved by the peer: {why}"
    if place == "where it was sent":
        if file is not None:
            said = f"{why}; rejection note {file.sop_instance_uid} (DCM 113037) is sent"
            return DeliveryState.WITHDRAWN, said
        return DeliveryState.MISFILED, f"{why}; it still stands where it was sent, and the peer takes no rejection note"
    if place == "not found" and not delivery.asked:
        return DeliveryState.STOPPED, f"{NOT_SENT}{why}"
    return DeliveryState.MISFILED, f"{why}; {_UNKNOWN[place]}"


def recalls(session: Session, config: Config, now: float) -> Iterator[Wanted]:
    """Yield the jobs of results that are to be withdrawn; end those of peers that are gone from the configuration."""
    gone = select(Delivery).where(Delivery.state == DeliveryState.RECALLED, Delivery.peer.not_in(config.peers))
    for delivery in session.scalars(gone).all():
        delivery.state = DeliveryState.MISFILED
        delivery.reason += "; the configuration names no such peer any more"
    query = (
        select(Delivery.peer, Run.stack_id, func.max(Delivery.attempt))
        .join(Result, Delivery.result_uid == Result.uid)
        .join(Run, Result.run_id == Run.id)
        .where(Delivery.state == DeliveryState.RECALLED, Delivery.next_at <= now)
        .group_by(Delivery.peer, Run.stack_id)
    )
    for peer, key, attempt in session.execute(query).all():
        if peer in config.peers and not is_away(session, peer):
            yield Wanted("recall", (peer, key), attempt, peer_queue(peer), FIRST)


def _recalled(session: Session, peer: str, stack_id: str) -> list[Delivery]:
    query = (
        select(Delivery)
        .join(Result, Delivery.result_uid == Result.uid)
        .join(Run, Result.run_id == Run.id)
        .where(Run.stack_id == stack_id, Delivery.peer == peer, Delivery.state == DeliveryState.RECALLED)
        .order_by(Result.at)
    )
    return list(session.scalars(query).all())


def attempt_again(session: Session, peer: str, stack_id: str) -> None:
    """Begin the next attempt of a job whose process died."""
    for delivery in _recalled(session, peer, stack_id):
        delivery.attempt += 1

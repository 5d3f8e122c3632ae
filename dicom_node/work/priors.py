"""The job that brings an earlier study of the same kind here before a stack is run that asks for one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from pydicom import dcmread
from sqlalchemy import select
from sqlalchemy.orm import Session

from dicom_node.catalog import Catalog, Stack, StackState, Study
from dicom_node.config import Config, Route
from dicom_node.deliver import StudyFound, find_studies
from dicom_node.errors import PeerError
from dicom_node.fetch import fetch
from dicom_node.images import Stack as Content
from dicom_node.routing import Decision
from dicom_node.work.durable import Step
from dicom_node.work.ending import note
from dicom_node.work.wanted import ASK_QUEUE, Wanted

_WILDCARDS = frozenset("*?")  # a query for such a Patient ID would ask for other patients too (PS3.4 C.2.2.2.4)


class Priors:
    """Asks once; a prior that cannot be had keeps no stack from running."""

    def __init__(self, config: Config, catalog: Catalog) -> None:
        self._config = config
        self._catalog = catalog

    def __call__(self, step: Step, *args: str) -> None:
        """Do the job for (stack id, peer)."""
        key, peer = args
        step("prior", self._bring, key, peer)

    def failed(self, key: str, peer: str, error: str) -> None:
        """Run without."""
        self._keep(key, f"no prior from {peer}: {error}")

    def _bring(self, key: str, name: str) -> None:
        with self._catalog.read() as session:
            content = Content.from_json(session.get_one(Stack, key).content)
        try:
            prior = self._latest(name, content)
            if prior is None:
                self._keep(key, f"{name} has no prior of the same kind")
                return
            if not self._is_here(prior):
                for _ in fetch(self._config, self._catalog, self._config.peers[name], prior):
                    pass
            self._keep(key, f"prior study {prior.study_uid}")
        except PeerError as error:
            self.failed(key, name, str(error))

    def _latest(self, name: str, content: Content) -> StudyFound | None:
        """Return the newest earlier study of the patient that has the stack's modality."""
        header = dcmread(content.frames[0].path, specific_tags=["PatientID", "StudyDate"])
        patient, modality = str(header.get("PatientID", "") or ""), content.text("Modality")
        if not patient or not _WILDCARDS.isdisjoint(patient):
            return None
        before = _day_before(str(header.get("StudyDate", "") or ""))
        keys = {"PatientID": patient, "ModalitiesInStudy": modality, "StudyDate": f"-{before}" if before else ""}
        found = find_studies(self._config, self._config.peers[name], keys)
        earlier = [
            study
            for study in found
            if study.study_uid != content.study_uid
            and study.patient_id == patient
            and (not before or study.date <= before)
            and (not study.modalities or modality in study.modalities)
        ]
        return max(earlier, key=lambda study: study.date, default=None)

    def _is_here(self, prior: StudyFound) -> bool:
        with self._catalog.read() as session:
            return session.get(Study, prior.study_uid) is not None

    def _keep(self, key: str, said: str) -> None:
        with self._catalog.write() as session:
            session.get_one(Stack, key).prior = said
            note(session, key, said)


def wants_prior(config: Config, stack: Stack) -> str:
    """Return the peer that is to be asked for a prior before a stack is run, "" where none is, or has been."""
    needing = [route for route in config.routes if route.needs_prior]
    if not needing or stack.state != StackState.ROUTED or stack.prior or not stack.decision:
        return ""
    running = {one.route for one in Decision.from_json(stack.decision).routes if one.runs}
    return next((_source(config, one) for one in needing if one.name in running), "")


def unprovided(session: Session, config: Config) -> Iterator[Wanted]:
    """Yield the jobs of routed stacks that wait for a prior."""
    for stack in session.scalars(select(Stack).where(Stack.state == StackState.ROUTED, Stack.prior == "")).all():
        if peer := wants_prior(config, stack):
            yield Wanted("prior", (stack.id, peer), stack.attempt, ASK_QUEUE, stack.priority, stack.turn)


def _source(config: Config, route: Route) -> str:
    return route.prior_from or next((peer for peer in route.send_to if not config.peers[peer].url), "")


def _day_before(date: str) -> str:
    try:
        return f"{datetime.strptime(date, '%Y%m%d') - timedelta(days=1):%Y%m%d}"
    except ValueError:
        return ""

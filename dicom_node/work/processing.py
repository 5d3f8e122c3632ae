"""The job that runs every pipeline that was decided for a stack."""

from __future__ import annotations

from sqlalchemy import select

from dicom_node.catalog import Catalog, Run, RunState, Stack
from dicom_node.config import Config
from dicom_node.work.durable import Step
from dicom_node.work.ending import settle
from dicom_node.work.running import Running


class Processing:
    """Infers and encodes run after run; one that fails does not keep the next from running."""

    def __init__(self, config: Config, catalog: Catalog, running: Running) -> None:
        self._config = config
        self._catalog = catalog
        self._running = running

    def __call__(self, step: Step, *args: str) -> None:
        """Do the job for (stack id,)."""
        (key,) = args
        for run, pipeline in step("plan", self._planned, key):
            step(f"infer {pipeline}", self._infer, run)
            step(f"encode {pipeline}", self._encode, run, key)
        step("settle", self._settle, key)

    def _planned(self, key: str) -> list[list[str]]:
        query = select(Run.id, Run.pipeline).where(Run.stack_id == key, Run.state == RunState.PLANNED)
        with self._catalog.read() as session:
            return [list(row) for row in session.execute(query.order_by(Run.at)).all()]

    def _infer(self, run: str) -> None:
        self._running.infer(run)

    def _encode(self, run: str, key: str) -> None:
        self._running.encode(run)
        if self._reports_refusals(run, key):
            self._running.report_refusal(run)

    def _reports_refusals(self, run: str, key: str) -> bool:
        with self._catalog.read() as session:
            decision = session.get_one(Stack, key).decision or {}
            pipeline = session.get_one(Run, run).pipeline
        wanted = {route.name for route in self._config.routes if route.report_refusals and pipeline in route.run}
        return any(route["matched"] and route["name"] in wanted for route in decision.get("routes", ()))

    def _settle(self, key: str) -> None:
        with self._catalog.write() as session:
            settle(session, session.get_one(Stack, key), self._config.peers)

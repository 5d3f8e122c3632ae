"""The job that runs every pipeline that was decided for a stack."""

from __future__ import annotations

from sqlalchemy import select

from dicom_node.catalog import Catalog, Run, RunState, Stack
from dicom_node.config import Config
from dicom_node.routing import Decision
from dicom_node.work.durable import Step
from dicom_node.work.ending import fail_stack, settle
from dicom_node.work.picking import Picking
from dicom_node.work.running import Running


class Processing:
    """Infers and encodes run after run; one that fails does not keep the next from running.

    What names left and right is encoded last: another pipeline may find a mark that contradicts the header.
    """

    def __init__(self, config: Config, catalog: Catalog, running: Running) -> None:
        self._config = config
        self._catalog = catalog
        self._running = running
        self._picking = Picking(config)

    def __call__(self, step: Step, *args: str) -> None:
        """Do the job for (stack id,)."""
        (key,) = args
        sided = []
        for run, pipeline in step("plan", self._planned, key):
            if step(f"infer {pipeline}", self._infer, run):
                sided.append((run, pipeline))
            else:
                step(f"encode {pipeline}", self._running.encode, run)
        for run, pipeline in sided:
            step(f"encode {pipeline}", self._running.encode, run)
        for run in step("find refusals", self._to_report, key):
            step("report refusal", self._running.report_refusal, run)
        step("choose again", self._choose_again, key)
        step("settle", self._settle, key)

    def failed(self, key: str, error: str) -> None:
        """End the stack, and the runs that it still waits for."""
        with self._catalog.write() as session:
            fail_stack(session, session.get_one(Stack, key), error)

    def _planned(self, key: str) -> list[list[str]]:
        query = select(Run.id, Run.pipeline).where(Run.stack_id == key, Run.state == RunState.PLANNED)
        with self._catalog.read() as session:
            return [list(row) for row in session.execute(query.order_by(Run.at)).all()]

    def _infer(self, run: str) -> bool:
        """Return whether left and right are named."""
        answer = self._running.infer(run)
        return not (answer.refused or answer.problem) and self._running.names_sides(run)

    def _to_report(self, key: str) -> list[str]:
        """Return the refused runs of routes that match and report refusals."""
        with self._catalog.read() as session:
            matching = {
                one.route for one in Decision.from_json(session.get_one(Stack, key).decision or {}).routes if one.runs
            }
            reporting = [one for one in self._config.routes if one.report_refusals and one.name in matching]
            pipelines = [pipeline for route in reporting for pipeline in route.run]
            query = select(Run.id).where(
                Run.stack_id == key, Run.state == RunState.REFUSED, Run.pipeline.in_(pipelines)
            )
            return list(session.scalars(query).all())

    def _choose_again(self, key: str) -> None:
        with self._catalog.write() as session:
            self._picking.choose_again(session, session.get_one(Stack, key))

    def _settle(self, key: str) -> None:
        with self._catalog.write() as session:
            settle(session, session.get_one(Stack, key), self._config.peers)

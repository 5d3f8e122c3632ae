"""A run's findings to objects: once for each encoding that its peers want, with what they replace."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TypeAlias
from zoneinfo import ZoneInfo

from sqlalchemy import select

from dicom_node.catalog import Catalog, Result, Run, Stack
from dicom_node.config import Config, Encoding, OutputKind, PipelineSection
from dicom_node.findings import Findings, load_findings
from dicom_node.images import Frame
from dicom_node.images import Stack as Content
from dicom_node.results import EncodedFile, Reference, Request, encode, encode_refusal, encode_rejection
from dicom_node.work.counting import current_instances
from dicom_node.work.replacing import reference, replaced_results, sent_to

MADE_AT = "made-at"
"""The file in a run's folder that has the time which its results carry."""
Made: TypeAlias = tuple[Sequence[EncodedFile], Sequence[str]]
"""Objects, and the peers that they are for."""


class Making:
    """Encodes for one configuration; raises what `dicom_node.results` raises."""

    def __init__(self, config: Config, catalog: Catalog) -> None:
        self._config = config
        self._catalog = catalog

    def results(self, run: Run, stack: Stack, findings: Findings, folder: Path) -> list[Made]:
        """Encode everything found, and notes that hide what it replaces where a peer wants them."""
        made: list[Made] = []
        for request, peers in self._requests(run, stack, findings, folder):
            made.append((encode(request, folder), peers))
            made += self._rejections(run, stack, request, peers, folder)
        return made

    def withdrawal(self, run: Run, stack: Stack, results: Sequence[Result]) -> EncodedFile:
        """Encode a note that rejects results for the patient's safety (DCM 113037), where they stand.

        The images may be another patient's by now, or gone: patient and study are those of the first result.
        """
        folder = self._config.storage_folder / "runs" / run.id
        settings = self._config.pipelines[run.pipeline].settings if run.pipeline in self._config.pipelines else {}
        request = Request(
            findings=Findings(run.pipeline, run.version, run.weights, settings, ()),
            stack=Content(stack.study_uid, stack.series_uid, (_as_frame(self._config, results[0]),), {}),
            outputs=("KO",),
            at=datetime.fromtimestamp(_made_at(run, folder), ZoneInfo(self._config.node.timezone)),
            title=run.record.get("title") or run.pipeline,
        )
        old = [reference(one, self._config.storage_folder) for one in results]
        return encode_rejection(request, old, "safety", folder, because=stack.reason)

    def refusals(self, run: Run, stack: Stack, folder: Path) -> list[Made]:
        """Encode why a run was refused."""
        settings = self._config.pipelines[run.pipeline].settings
        nothing = Findings(run.pipeline, run.version, run.weights, settings, ())
        return [
            (encode_refusal(request, run.reason, folder), peers)
            for request, peers in self._requests(run, stack, nothing, folder)
        ]

    def _requests(
        self, run: Run, stack: Stack, findings: Findings, folder: Path
    ) -> Iterator[tuple[Request, Sequence[str]]]:
        section = self._config.pipelines[run.pipeline]
        usual = Request(
            findings=findings,
            stack=self._content(stack),
            outputs=_gate_outputs(section) if run.is_gate else section.outputs,
            at=datetime.fromtimestamp(_made_at(run, folder), ZoneInfo(self._config.node.timezone)),
            title=run.record.get("title") or run.pipeline,
            doubts=self._doubts(run) if findings.names_sides else (),
        )
        for encoding, peers in self._encodings(run):
            yield replace(usual, encoding=encoding, replaces=self._predecessor(run, stack, peers)), peers

    def _content(self, stack: Stack) -> Content:
        """Return a stack's frames as their current versions say them: headers may have been updated since."""
        content = Content.from_json(stack.content)
        with self._catalog.read() as session:
            current = current_instances(session, stack.study_uid, stack.series_uid)
            paths = {one.uid: str(self._config.storage_folder / one.path) for one in current}
        frames = (replace(frame, path=paths.get(frame.sop_instance_uid, frame.path)) for frame in content.frames)
        return replace(content, frames=tuple(frames))

    def _doubts(self, run: Run) -> tuple[str, ...]:
        """Return what the stack's other runs found that contradicts its header's left and right."""
        with self._catalog.read() as session:
            others = session.scalars(select(Run.id).where(Run.stack_id == run.stack_id, Run.id != run.id)).all()
        paths = [findings_path(self._config, one) for one in others]
        return tuple(doubt for path in paths if path.exists() for doubt in load_findings(path).doubts)

    def _encodings(self, run: Run) -> Sequence[tuple[Encoding, Sequence[str]]]:
        """Return each encoding that is wanted, with the peers that want it; where there is no peer, the usual one."""
        wanted: defaultdict[Encoding, list[str]] = defaultdict(list)
        for peer in run.send_to:
            wanted[self._config.peers[peer].encoding].append(peer)
        return list(wanted.items()) or [(Encoding(), ())]

    def _predecessor(self, run: Run, stack: Stack, peers: Sequence[str]) -> Reference | None:
        """Return the report that the first of the peers has of the run before."""
        reports = [one for one in self._replaced(run, stack, peers[:1]) if one.kind == "SR"]
        return reference(reports[-1], self._config.storage_folder) if reports else None

    def _rejections(
        self, run: Run, stack: Stack, request: Request, peers: Sequence[str], folder: Path
    ) -> Iterator[Made]:
        for peer in peers:
            reason = self._config.peers[peer].reject_replaced
            old = [reference(one, self._config.storage_folder) for one in self._replaced(run, stack, [peer])]
            if reason and old:
                yield (encode_rejection(request, old, reason, folder),), [peer]

    def _replaced(self, run: Run, stack: Stack, peers: Sequence[str]) -> Sequence[Result]:
        with self._catalog.read() as session:
            results = replaced_results(session, run, stack)
            sent = [one for peer in peers for one in sent_to(session, results, peer)]
        return [one for one in sent if (self._config.storage_folder / one.path).exists()]


def findings_path(config: Config, run: str) -> Path:
    """Return where a run's findings lie."""
    return config.storage_folder / "runs" / run / "findings.npz"


def _gate_outputs(section: PipelineSection) -> tuple[OutputKind, ...]:
    """Return what a gate's answer is sent as: it marks nothing in the images."""
    return ("SR", *(kind for kind in section.outputs if kind in ("PAGE", "PDF")))


def _as_frame(config: Config, result: Result) -> Frame:
    return Frame(str(config.storage_folder / result.path), result.sop_class_uid, result.uid, None)


def _made_at(run: Run, folder: Path) -> float:
    """Return the time that a run's results carry; it lies beside them, and outlives the catalog as they do."""
    path = folder / MADE_AT
    if not path.exists():
        part = path.with_suffix(".part")
        part.write_text(repr(run.at))
        part.replace(path)
    return float(path.read_text())

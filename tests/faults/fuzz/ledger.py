"""What was answered to each input, and what a node made of what it acknowledged."""

from __future__ import annotations

import re
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.datadict import keyword_dict
from pydicom.uid import UID
from sqlalchemy import select

from dicom_node.catalog import UNFINISHED, Instance, Run, RunState, Stack, StackState
from dicom_node.images import Stack as Content
from dicom_node.imaging import read_radiograph, split
from tests.faults.fuzz.inputs import Input
from tests.faults.fuzz.mutated_streams import original
from tests.faults.house import House
from tests.support.dicom import encoded

_STATUS = re.compile(re.escape(b"\0\0\0\t\2\0\0\0") + b"(..)", re.DOTALL)  # (0000,0900) of a response
_SUCCESS = b"\0\0"
_RAISED = re.compile(r"\b[A-Z]\w*(?:Error|Exception|Warning)\b")
_BY_ITS_LIMIT = re.compile(r"SIGALRM|max_memory_gb|within [\d.]+ s")
_UID = re.compile(r"\b(?:\d+(?:\.\d+){3,}|2\.25\.\d{20,})\b")  # of an object; of many, the first three
_TAG_OR_WORD = re.compile(r"\([0-9A-Fa-f]{4},[0-9A-Fa-f]{4}\)|\b[A-Z][A-Za-z]+\b")


@dataclass
class Ledger:
    """Inputs by what became of them."""

    thrown: Counter[str] = field(default_factory=Counter)  # by kind
    acknowledged: dict[str, Input] = field(default_factory=dict)  # by SOP Instance UID
    ends: Counter[tuple[str, str]] = field(default_factory=Counter)  # (kind, state of a stack)
    altered: Counter[str] = field(default_factory=Counter)  # by transfer syntax: pixels that changed without a sign
    unaltered: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0  # of a pipeline's run

    def record(self, thrown: Input, heard: bytes) -> None:
        """Note an input and what was answered."""
        self.thrown[thrown.kind] += 1
        if thrown.instance and _SUCCESS in _STATUS.findall(heard):
            self.acknowledged[thrown.instance] = thrown

    def problems(self, house: House) -> Iterator[str]:
        """Yield what is wrong with the rows of what was acknowledged, once everything has ended."""
        with house.node.catalog.read() as session:
            rows = {row.uid: row for row in session.scalars(select(Instance)).all()}
            stacks: Mapping[tuple[str, str], list[Stack]] = _grouped(session.scalars(select(Stack)).all())
            runs = defaultdict(list)
            for run in session.scalars(select(Run)).all():
                runs[run.stack_id].append(run)
        for uid, thrown in self.acknowledged.items():
            row = rows.get(uid)
            if row is None:
                yield f"{thrown.kind} {uid}: acknowledged, and has no row"
                continue
            found = stacks.get((row.study_uid, row.series_uid), [])
            if not found:
                yield f"{thrown.kind} {uid}: in no stack"
            for stack in found:
                yield from (f"{thrown.kind} {uid}: {why}" for why in self._judge(thrown, stack, runs[stack.id]))

    def _judge(self, thrown: Input, stack: Stack, runs: Sequence[Run]) -> Iterator[str]:
        self.ends[thrown.kind, str(stack.state)] += 1
        self.slowest_s = max([self.slowest_s, *(run.record.get("seconds", 0.0) for run in runs)])
        said = "; ".join([stack.reason, *(run.reason for run in runs)])
        if stack.state in UNFINISHED:
            yield f"has no end, but is {stack.state}"
        if not said.strip("; "):
            yield f"{stack.state} without a reason"
        if _RAISED.search(said) or not said.isprintable():
            yield f"{stack.state} by what is no sentence: {said!r}"
        if stack.state in (StackState.REFUSED, StackState.FAILED) and not _names(said):
            yield f"{stack.state} by a sentence that names neither object nor attribute: {said}"
        if "process was ended" in said and not _BY_ITS_LIMIT.search(said):
            yield f"ended the model process, and by no limit: {said}"
        if thrown.is_impossible and any(run.state == RunState.DONE for run in runs):
            yield f"a result was made of what cannot be: {said}"
        if thrown.syntax:
            self._compare(thrown, stack)

    def _compare(self, thrown: Input, stack: Stack) -> None:
        name = UID(thrown.syntax).name
        if stack.state != StackState.DELIVERED:
            self.refused[name] += 1
            return
        stored = read_radiograph(Content.from_json(stack.content)).stored
        same = np.array_equal(stored, _original_pixels(thrown.syntax))
        (self.unaltered if same else self.altered)[name] += 1


@cache
def _original_pixels(syntax: str) -> NDArray[Any]:
    """Return what an unaltered stream of a transfer syntax decodes to, (rows, columns)."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "original.dcm"
        path.write_bytes(encoded(original(UID(syntax))))
        (stack,) = split("1.2.3", "1.2.3.1", [(str(path), "")]).stacks
        return read_radiograph(stack).stored.copy()


def _grouped(stacks: Sequence[Stack]) -> dict[tuple[str, str], list[Stack]]:
    grouped = defaultdict(list)
    for stack in stacks:
        grouped[stack.study_uid, stack.series_uid].append(stack)
    return grouped


def _names(said: str) -> bool:
    """Say whether a sentence names an object, or an attribute by its keyword or tag."""
    words = _TAG_OR_WORD.findall(said)
    return bool(_UID.search(said)) or any(word in keyword_dict or word.startswith("(") for word in words)

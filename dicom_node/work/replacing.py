"""What a run replaces: results of the same pipeline on images of the same series, made before (a later generation)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydicom import dcmread
from sqlalchemy import select
from sqlalchemy.orm import Session

from dicom_node.catalog import Delivery, Result, Run, Stack
from dicom_node.results import Reference


def replaced_results(session: Session, run: Run, stack: Stack) -> Sequence[Result]:
    """Return the results of the latest run before this one that saw some of the same images, and whose files exist.

    What was made before an image was corrected is withdrawn, not replaced: it may be another patient's.
    """
    query = (
        select(Run, Stack)
        .join(Stack, Run.stack_id == Stack.id)
        .where(Stack.study_uid == stack.study_uid, Stack.series_uid == stack.series_uid, Stack.corrected.is_(False))
        .where(Run.pipeline == run.pipeline, Run.id != run.id, Run.at < run.at)
        .order_by(Run.at.desc())
    )
    ours = instances_of(stack)
    for earlier, seen in session.execute(query).all():
        results = session.scalars(select(Result).where(Result.run_id == earlier.id).order_by(Result.at)).all()
        if results and not ours.isdisjoint(instances_of(seen)):
            return results
    return ()


def reference(result: Result, storage_folder: Path) -> Reference:
    """Return what an object needs to cite a result; its series stands in its file."""
    header: Any = dcmread(storage_folder / result.path, stop_before_pixels=True, specific_tags=["SeriesInstanceUID"])
    return Reference(result.sop_class_uid, result.uid, str(header.SeriesInstanceUID))


def sent_to(session: Session, results: Sequence[Result], peer: str) -> tuple[Result, ...]:
    """Return those of the results that a peer has or will get."""
    return tuple(one for one in results if session.get(Delivery, (one.uid, peer)) is not None)


def instances_of(stack: Stack) -> set[str]:
    """Return the SOP Instance UIDs of a stack's frames."""
    return {frame["sop_instance_uid"] for frame in stack.content["frames"]}

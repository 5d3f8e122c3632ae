"""Which recipes can be trained: another joins by a line here."""

from __future__ import annotations

from typing import Final

from dicom_node.errors import WeightsError
from pipelines.training import (
    brain_mr,
    contrast_ct,
    ct_organs,
    lr_mark_cxr,
    lung_cxr,
    polyp_es,
    polyp_published,
    view_cxr,
    view_published,
)
from pipelines.training.task import Task

TASKS: Final[tuple[Task, ...]] = (
    contrast_ct.SMALL,
    lr_mark_cxr.SMALL,
    lung_cxr.SMALL,
    brain_mr.SMALL,
    ct_organs.KIDNEY,
    ct_organs.LIVER,
    polyp_es.SMALL,
    view_cxr.SMALL,
    contrast_ct.PUBLISHED,
    lung_cxr.PUBLISHED,
    polyp_published.PUBLISHED,
    view_published.PUBLISHED,
)


def task_for(pipeline: str, recipe: str = "") -> Task:
    """Return a pipeline's task, by recipe or else its compact one.

    Raises:
        WeightsError: none of ours is taught, or the recipe can only be trained from imported weights.
    """
    own = [task for task in TASKS if task.pipeline == pipeline]
    wanted = [task for task in own if (task.recipe == recipe if recipe else not task.published)]
    if wanted:
        return wanted[0]
    if own and not recipe:
        raise WeightsError(f"{pipeline} has no compact recipe that can be trained; name imported weights with --from")
    offered = ", ".join(task.recipe for task in own) or "none"
    raise WeightsError(f"recipe {recipe or 'of ours'!r} of {pipeline} cannot be trained; {offered} can")

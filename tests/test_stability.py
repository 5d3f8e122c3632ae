"""What docs/stability.md promises of names: whoever changes one of these changes the promise too."""

from __future__ import annotations

import inspect

import dicom_node
from dicom_node import pipeline

PIPELINE = [
    "BareNetwork",
    "Bound",
    "Box",
    "Classification",
    "Code",
    "Detection",
    "ErasedImage",
    "Finding",
    "HeaderPattern",
    "Image",
    "Measurement",
    "Model",
    "Organ",
    "Photograph",
    "Pipeline",
    "Radiograph",
    "RefusalError",
    "Remark",
    "Segment",
    "Segmentation",
    "Settings",
    "Shape",
    "Stack",
    "Stage",
    "Volume",
    "Weights",
    "WeightsError",
    "age_years",
    "blanked",
    "matches_whole",
    "replace",
    "search",
    "with_removed",
]

A_PIPELINE_HAS = {
    *("name", "version", "title", "takes", "settings_type", "takes_windowed", "needs_weights", "answers"),
    *("raw_in_stored_axes", "settings", "refuse", "load", "sample", "claim", "organs"),
}


def test_the_plugin_surface_has_the_names_that_are_promised() -> None:
    assert sorted(pipeline.__all__) == PIPELINE
    public = {name for name in vars(pipeline.Pipeline) if not name.startswith("_")} | {"settings"}
    assert public | set(pipeline.Pipeline.__annotations__) == A_PIPELINE_HAS


def test_a_stage_prepares_infers_and_finishes() -> None:
    steps = {name: list(inspect.signature(getattr(pipeline.Stage, name)).parameters)[1:] for name in STAGE}
    assert steps == STAGE


STAGE = {"prepare": ["image", "previous"], "infer": ["batch"], "finish": ["output", "image"]}


def test_a_model_is_loaded_by_name() -> None:
    assert list(inspect.signature(dicom_node.load).parameters) == ["name", "weights", "device", "settings"]

"""The models: one file each. `pipelines.load("lung_cxr").predict("image.dcm")` runs one."""

from __future__ import annotations

import importlib
from typing import Any


def load(name: str, **options: Any) -> Any:
    """Return a pipeline that is ready to run: a `dicom_node.library.Loaded`, whose `load` says what the options are."""
    return importlib.import_module("dicom_node.library").load(name, **options)

"""dicom-node: a DICOM network node that puts imaging AI behind a PACS.

`from dicom_node import load` gives a model in three lines; what the name needs (torch) is imported only then.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dicom_node.library import load

__all__ = ["load"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module("dicom_node.library"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""Labelled images for `train` and `evaluate`, whatever layout they lie in."""

from dicom_node.datasets.cases import Case, Dataset, Mask, TrueBox, Truth, grid_of
from dicom_node.datasets.folders import read_dataset
from dicom_node.datasets.names import class_of

__all__ = ["Case", "Dataset", "Mask", "TrueBox", "Truth", "class_of", "grid_of", "read_dataset"]

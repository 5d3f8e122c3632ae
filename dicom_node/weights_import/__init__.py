"""Published checkpoints to weights entries: read safely, check every tensor, convert, catalogue.

What is expected of a file is data (`TensorTable`) that the caller hands in, because only the models know their
networks; so is the reader of PyTorch checkpoints, because torch enters only where models live. This package itself
reads HDF5 (h5py), matches, converts, and writes safetensors and `catalog.toml` with NumPy alone. Whole models that
TensorFlow runs are looked through and kept as they are.

`pipelines.published.importing.import_published` is the same call with the MI2RLNet tables and the reader filled in.
"""

from dicom_node.weights_import.card import Card
from dicom_node.weights_import.catalog_file import Value, append_entry, check_name
from dicom_node.weights_import.found import FoundTensor, Reader
from dicom_node.weights_import.importer import Importer
from dicom_node.weights_import.keeping import check_model, is_model, keep_model
from dicom_node.weights_import.keras_model import refuse_code
from dicom_node.weights_import.matching import candidates, match
from dicom_node.weights_import.tables import TableTensor, TensorTable

__all__ = [
    "Card",
    "FoundTensor",
    "Importer",
    "Reader",
    "TableTensor",
    "TensorTable",
    "Value",
    "append_entry",
    "candidates",
    "check_model",
    "check_name",
    "is_model",
    "keep_model",
    "match",
    "refuse_code",
]

"""Verification, Storage, Storage Commitment and Query SCU: our results on their way to other DICOM nodes."""

from dicom_node.deliver.backoff import delay_s
from dicom_node.deliver.calling import NoAssociationError
from dicom_node.deliver.comments import mask_patient
from dicom_node.deliver.committing import (
    CommitmentRequest,
    NoCommitmentError,
    Reference,
    ask_commitment,
    report_commitment,
)
from dicom_node.deliver.fetching import Ended, Progress, Retrieval, get_study, move_study
from dicom_node.deliver.outcomes import DUPLICATE
from dicom_node.deliver.query import count_series
from dicom_node.deliver.scu import Sent, echo
from dicom_node.deliver.studies import StudyFound, find_studies, list_objects
from dicom_node.deliver.ways import ask, find_objects, send

__all__ = [
    "DUPLICATE",
    "CommitmentRequest",
    "Ended",
    "NoAssociationError",
    "NoCommitmentError",
    "Progress",
    "Reference",
    "Retrieval",
    "Sent",
    "StudyFound",
    "ask",
    "ask_commitment",
    "count_series",
    "delay_s",
    "echo",
    "find_objects",
    "find_studies",
    "get_study",
    "list_objects",
    "mask_patient",
    "move_study",
    "report_commitment",
    "send",
]

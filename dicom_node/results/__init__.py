"""Findings to DICOM objects, proved before they leave."""

from dicom_node.results.encode import encode, encode_refusal, encode_rejection
from dicom_node.results.request import EncodedFile, Reference, Request

__all__ = ["EncodedFile", "Reference", "Request", "encode", "encode_refusal", "encode_rejection"]

"""Verification and Storage SCP: what is acknowledged stands on disk and finds its way into the catalog."""

from dicom_node.receive.receiver import Receiver

__all__ = ["Receiver"]

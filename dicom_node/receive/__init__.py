"""Verification and Storage SCP: what is acknowledged stands on disk and finds its way into the catalog."""

from dicom_node.receive.receiver import Receiver
from dicom_node.receive.registrar import Registrar

__all__ = ["Receiver", "Registrar"]

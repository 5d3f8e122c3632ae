"""Storage and Verification SCU: our results on their way to other DICOM nodes."""

from dicom_node.deliver.backoff import delay_s
from dicom_node.deliver.scu import Sent, echo, send

__all__ = ["Sent", "delay_s", "echo", "send"]

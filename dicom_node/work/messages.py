"""Storage commitment's messages that the receiver has kept, taken into the catalog."""

from __future__ import annotations

from dicom_node.catalog import Catalog
from dicom_node.commitment import kept_messages
from dicom_node.config import Config
from dicom_node.work.answering import take_request
from dicom_node.work.proofs import take_report


def take_messages(config: Config, catalog: Catalog) -> None:
    """Act upon every message, then delete its file; one that is acted upon twice says nothing new."""
    for path, message in kept_messages(config.storage_folder):
        with catalog.write() as session:
            if message.is_report:
                take_report(session, config, message)
            else:
                take_request(session, message)
        path.unlink(missing_ok=True)

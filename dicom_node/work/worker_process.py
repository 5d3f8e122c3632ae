"""A work process: `node.py` starts this module; `work` runs the same in a process that a person has started."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable

from dicom_node.catalog import Catalog
from dicom_node.config import Config
from dicom_node.errors import DicomNodeError
from dicom_node.infer.process import ModelProcess
from dicom_node.processes import be_part, give_large_blocks_back
from dicom_node.routing import impossible_conditions
from dicom_node.work.worker import Worker

_log = logging.getLogger(__name__)


def work(config: Config, stopped: threading.Event, ready: Callable[[], None]) -> None:
    """Work until told to stop, and end this process."""
    give_large_blocks_back()
    models = ModelProcess(config)
    threading.Thread(target=_warn, args=(config, models), name="conditions", daemon=True).start()
    Worker(config, Catalog(config.catalog_url), models).run(stopped, ready)
    # At once, as a crash would: the running job goes on at the next start. In an orderly end it would see its model
    # process or its database vanish first, and record that as the end of its stack.
    os._exit(0)


def _warn(config: Config, models: ModelProcess) -> None:
    """Warn of conditions that no stack can ever meet; what gates may answer, only the model process knows."""
    try:
        answers = models.answers() if config.gates else {}
    except DicomNodeError as error:
        _log.warning("%s", error)
        answers = {}
    for sentence in impossible_conditions(config, answers):
        _log.warning("%s; as it stands, the condition never holds", sentence)


if __name__ == "__main__":
    be_part(work)

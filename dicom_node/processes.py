"""What every process of the node does at its start."""

from __future__ import annotations

import logging
import multiprocessing
import os
import threading
from multiprocessing.connection import wait

from dicom_node.config import Config


def set_up_log(config: Config) -> None:
    """Send log lines to standard error, each with its time, level and process."""
    line = "%(asctime)s %(levelname)s %(processName)s %(name)s: %(message)s"
    logging.basicConfig(level=config.log.level, format=line, force=True)
    for library in ("pynetdicom", "pydicom", "alembic", "sqlalchemy", "highdicom"):
        logging.getLogger(library).setLevel(logging.WARNING)  # below that they may print what objects hold


def end_with_parent() -> None:
    """End this process when the one that started it is gone, however that one died."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        sentinel = parent.sentinel
        threading.Thread(target=lambda: (wait([sentinel]), os._exit(1)), daemon=True, name="parent-watch").start()

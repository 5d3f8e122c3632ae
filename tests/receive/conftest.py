from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from dicom_node.catalog import Catalog
from dicom_node.config import Config
from dicom_node.receive import Receiver
from tests.receive.node import Site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Start a receiver in tmp_path with the settings given, as often as asked; all are stopped at the end."""
    with ExitStack() as stack:
        yield lambda **node: stack.enter_context(running(tmp_path, **node))


@contextmanager
def running(folder: Path, **node: object) -> Iterator[Site]:
    storage = {"folder": folder, "min_free_gb": node.pop("min_free_gb", 0.0)}
    config = Config.model_validate(
        {"folder": folder, "node": {"ae_title": "NODE", "port": 0, **node}, "storage": storage}
    )
    catalog = Catalog(config.catalog_url)
    catalog.migrate()
    receiver = Receiver(config, catalog)
    receiver.start()
    try:
        yield Site(folder, config, catalog, receiver)
    finally:
        receiver.stop()
        catalog.close()

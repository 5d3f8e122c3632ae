"""The PACS as a fixture."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dicom_node.demo.orthanc import Orthanc
from tests.support.programs import require
from tests.support.tensorflow import models

__all__ = ["models", "orthanc"]


@pytest.fixture
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """An empty Orthanc of the test's own."""
    require("Orthanc")
    with Orthanc(tmp_path_factory.mktemp("orthanc")) as running:
        yield running

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.receive.node import Site, running


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Start a receiver in tmp_path with the [node] settings given; it is stopped at the end."""
    with ExitStack() as stack:
        yield lambda **node: stack.enter_context(running(tmp_path, **node))


@pytest.fixture
def site(start: Callable[..., Site]) -> Site:
    """A running receiver with the default settings."""
    return start()

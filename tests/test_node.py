from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from dicom_node.config import Config
from dicom_node.deliver import echo
from dicom_node.errors import BootError
from dicom_node.node import Node
from tests.deliver.pacs import Pacs, unused_port
from tests.faults.processes import kill, sockets
from tests.receive.node import eventually
from tests.receive.wire import ACCEPTED, REJECTED, connected


@pytest.fixture
def config(tmp_path: Path) -> Config:
    node = {"ae_title": "PACS", "port": unused_port(), "receivers": 2, "max_associations": 4}
    return Config.model_validate({"folder": tmp_path, "node": node})


@pytest.fixture
def node(config: Config) -> Iterator[Node]:
    node = Node(config)
    node.start()
    watching = threading.Thread(target=node.run)
    watching.start()
    yield node
    node.stop()
    watching.join(60)
    assert not watching.is_alive()


def test_receivers_share_a_port_that_no_other_node_gets_and_a_dead_one_is_started_again(
    config: Config, node: Node, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(BootError, match=f"process {os.getpid()} on .* runs this node already"):
        Node(config).start()
    caplog.set_level(logging.INFO, "dicom_node.node")
    before = node.pid_of("receiver-2")
    assert before not in (None, node.pid_of("receiver"))
    os.kill(before or 0, signal.SIGKILL)
    eventually(lambda: node.pid_of("receiver-2") not in (None, before), within_s=60)
    eventually(lambda: caplog.text.count("receiver-2 is up") == 1, within_s=60)
    assert "receiver-2 ended with exit code -9" in caplog.text
    for _ in range(6):
        echo(config, Pacs(port=config.node.port).peer())


def test_receivers_take_turns_and_keep_to_one_limit_together(config: Config, node: Node) -> None:
    receivers = [node.pid_of(name) or 0 for name in ("receiver", "receiver-2")]
    at_first = [sockets(pid) for pid in receivers]
    with ExitStack() as held:
        for _ in range(4):
            wire = held.enter_context(connected(config.node.port, "PACS"))
            assert wire.receive()[0] == ACCEPTED
        taken = [sockets(pid) - before for pid, before in zip(receivers, at_first, strict=True)]
        assert sum(taken) == 4
        assert min(taken) >= 1  # 2 each, but on a busy machine a receiver may not wait for its turn yet
        assert held.enter_context(connected(config.node.port, "PACS")).receive()[0] == REJECTED


def test_who_calls_while_receivers_are_started_again_waits_for_them_and_finds_the_places_of_dead_ones_free(
    config: Config, node: Node
) -> None:
    with ExitStack() as held:
        for _ in range(4):
            assert held.enter_context(connected(config.node.port, "PACS")).receive()[0] == ACCEPTED
        kill(node.pid_of(name) or 0 for name in ("receiver", "receiver-2"))  # and waits until they are gone
        assert held.enter_context(connected(config.node.port, "PACS", wait_s=60)).receive()[0] == ACCEPTED

"""What "delivered" says of peers that are not required."""

from __future__ import annotations

from pathlib import Path

from dicom_node.catalog import StackState
from dicom_node.demo.pacs import SmallPacs
from tests.deliver.pacs import unused_port
from tests.support.dicom import radiograph
from tests.test_cli import CONFIG
from tests.work.house import House

FURTHER = '[peers.research]\nae_title = "RESEARCH"\nhost = "127.0.0.1"\nport = {port}\nrequired = false\n[peers.pacs]'


def test_delivered_names_where_and_which_peer_that_is_not_required_still_waits(tmp_path: Path) -> None:
    with SmallPacs(tmp_path / "pacs") as pacs:
        text = CONFIG.format(port=pacs.port, extra="").replace("[peers.pacs]", FURTHER.format(port=unused_port()))
        house = House(tmp_path, text.replace('send_to = ["pacs"]', 'send_to = ["pacs", "research"]'))
        house.put(radiograph("1.2.1", "1.2.1.1"))
        (stack,) = house.settle()
    assert (stack.state, stack.reason) == (StackState.DELIVERED, "lung to pacs; waits for research")

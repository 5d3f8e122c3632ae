"""A real PACS's own storage commitment."""

from __future__ import annotations

from pathlib import Path

from dicom_node.catalog import Delivery, DeliveryState, StackState
from dicom_node.demo.orthanc import Orthanc
from dicom_node.receive.commitment import commitment_offers
from dicom_node.receive.receiver import Receiver
from tests.support.dicom import ct_slice
from tests.work.house import House

CONFIG = """
[node]
receivers = 1
ae_title = "NODE"
port = 0
[storage]
min_free_gb = 0
[peers.pacs]
ae_title = "ORTHANC"
host = "127.0.0.1"
port = {port}
commitment = "required"
"""


def test_the_pacs_commits_itself_to_what_it_stored(orthanc: Orthanc, tmp_path: Path) -> None:
    house = House(tmp_path, CONFIG.format(port=orthanc.dicom_port))
    receiver = Receiver(house.config, commitment_offers(house.config))
    receiver.start()
    orthanc.add_modality("node", "NODE", receiver.port)
    try:
        house.owe(ct_slice("1.2.1", "1.2.1.1"), "pacs")
        house.settle_until(StackState.DELIVERED)
    finally:
        receiver.stop()
    (delivery,) = house.rows(Delivery)
    assert (delivery.state, delivery.asked, delivery.reason) == (DeliveryState.COMMITTED, 1, "")

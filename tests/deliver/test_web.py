from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from dicom_node.catalog import Delivery, DeliveryState, StackState
from dicom_node.config import Config, Peer
from dicom_node.deliver import ask, send
from dicom_node.errors import PeerError
from tests.deliver.origin import Origin, origin
from tests.deliver.pacs import our_config, unused_port
from tests.support.dicom import ct_slice, encoded
from tests.work.house import House


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return our_config(tmp_path)


def saved(folder: Path, count: int) -> list[Path]:
    datasets = [ct_slice("1.2.3", "1.2.4", number) for number in range(1, count + 1)]
    paths = [folder / f"{dataset.SOPInstanceUID}.dcm" for dataset in datasets]
    for path, dataset in zip(paths, datasets, strict=True):
        path.write_bytes(encoded(dataset))
    return paths


def peer(site: Origin, **settings: object) -> Peer:
    return Peer.model_validate({"url": site.url, "timeout_s": 5, **settings})


def test_files_go_out_byte_for_byte_over_one_connection(config: Config, tmp_path: Path) -> None:
    paths = saved(tmp_path, 3)
    with origin() as site:
        sent = list(send(config, peer(site), paths))
        ask(config, peer(site))
    assert [one.outcome for one in sent] == ["stored"] * 3
    assert site.received == {path.stem: path.read_bytes() for path in paths}
    assert len(site.connections) == 1


@pytest.mark.parametrize(
    ("settings", "outcome"),
    [
        ({"failure": 0xA700}, "retry"),
        ({"failure": 0x0110}, "retry"),
        ({"failure": 0x0122}, "park"),
        ({"failure": 0xC000}, "park"),
        ({"status": 503}, "retry"),
        ({"status": 429}, "retry"),
        ({"status": 400}, "park"),
        ({"status": 409}, "park"),
        ({"token": "secret"}, "park"),
    ],
)
def test_each_answer_has_its_outcome(config: Config, tmp_path: Path, settings: dict[str, object], outcome: str) -> None:
    with origin(**settings) as site:
        (sent,) = send(config, peer(site), saved(tmp_path, 1))
    assert (sent.outcome, bool(sent.reason)) == (outcome, True)
    assert not site.received


def test_a_bearer_token_is_read_from_its_file(config: Config, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret\n")
    with origin(token="secret") as site:  # noqa: S106 - of a server that lives for this test
        (sent,) = send(config, peer(site, token_file="token"), saved(tmp_path, 1))  # noqa: S106
    assert sent.outcome == "stored"


def test_a_server_that_nobody_runs_leaves_everything_for_later(config: Config, tmp_path: Path) -> None:
    nobody = peer(Origin(url=f"http://127.0.0.1:{unused_port()}"))
    assert [one.outcome for one in send(config, nobody, saved(tmp_path, 2))] == ["unreached", "unreached"]
    with pytest.raises(PeerError, match="cannot be reached"):
        ask(config, nobody)


def test_a_peer_is_either_a_url_or_an_application_entity() -> None:
    for settings in ({"url": "http://pacs", "host": "pacs"}, {"host": "pacs"}, {"url": "ftp://pacs"}):
        with pytest.raises(ValidationError):
            Peer.model_validate(settings)
    with pytest.raises(ValidationError, match="no storage commitment"):
        Peer(url="http://pacs", commitment="required")


def test_a_stack_is_delivered_once_a_query_has_found_its_result(tmp_path: Path) -> None:
    with origin() as site:
        house = House(tmp_path, f'[peers.web]\nurl = "{site.url}"\ncommitment = "c-find"\n')
        house.owe(ct_slice("1.2.1", "1.2.1.1"), "web")
        house.settle_until(StackState.DELIVERED)
    assert house.rows(Delivery)[0].state == DeliveryState.COMMITTED

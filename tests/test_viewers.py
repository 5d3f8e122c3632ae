"""A peer's `viewer` decides what the person left open, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from dicom_node.check import check
from dicom_node.config import Encoding, Peer, load_config
from dicom_node.viewers import PRESETS

PLACE = {"ae_title": "PACS", "host": "127.0.0.1", "port": 104}


def test_a_peer_of_no_named_viewer_gets_the_usual_encoding() -> None:
    assert Peer.model_validate(PLACE).encoding == Encoding()


def test_a_viewer_sets_what_it_needs() -> None:
    peer = Peer.model_validate({**PLACE, "viewer": "ohif"})
    assert peer.encoding == Encoding(radiograph_seg="oriented", sr_title="auto", sc_frames="single")


def test_what_a_person_sets_stands_beside_a_viewer() -> None:
    peer = Peer.model_validate({**PLACE, "viewer": "ohif", "sr_title": "126000", "seg_type": "LABELMAP"})
    assert peer.encoding == Encoding(
        radiograph_seg="oriented", sr_title="126000", seg_type="LABELMAP", sc_frames="single"
    )
    assert peer.preset == {"radiograph_seg": "oriented", "sc_frames": "single"}


def test_viewers_that_want_the_usual_share_its_objects() -> None:
    wanted = {Peer.model_validate({**PLACE, "viewer": viewer}).encoding for viewer in ("generic", "slicer", "weasis")}
    assert wanted == {Encoding()}


@pytest.mark.parametrize("viewer", PRESETS)
def test_a_viewer_sets_only_what_can_be_set(viewer: str) -> None:
    assert set(PRESETS[viewer]) <= set(Encoding.model_fields)  # type: ignore[index]  # every key is a Viewer


def test_check_says_what_a_viewer_sets(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(
        '[peers.pacs]\nae_title = "A"\nhost = "127.0.0.1"\nport = 1\nviewer = "ohif"\nsr_title = "126000"\n'
    )
    (proof,) = [proof for proof in check(load_config(file)) if proof.what == "peers.pacs.viewer"]
    assert proof.state == "ok"
    assert proof.seen == '"ohif" sets seg_type = "BINARY", radiograph_seg = "oriented", sc_frames = "single"'

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dicom_node.config import Config, Node, Storage, load_config

PAGE = Path(__file__).resolve().parents[2] / "docs" / "pacs-setup.md"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """The page's own examples as one file."""
    examples = re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    path = tmp_path / "config.toml"
    path.write_text("\n".join([*examples, "[pipelines.lung_cxr]"]))
    return load_config(path)


def test_the_examples_make_one_configuration(config: Config) -> None:
    assert config.node.accepted_callers == ("MAIN_PACS", "CT1")
    assert config.routes[0].send_to == ("main_pacs",)
    assert config.peers["main_pacs"].port == 104


def test_the_defaults_it_states_are_the_defaults(config: Config) -> None:
    node, storage, peer = Node(), Storage(), config.peers["main_pacs"]
    assert (node.ae_title, node.host, node.port) == ("DICOMNODE", "127.0.0.1", 11112)
    assert (storage.series_quiet_s, storage.regeneration_s) == (10, 300)
    assert (storage.max_study_age_days, storage.min_free_gb) == (14, 5)
    assert (peer.retry_s, peer.retry_max_s, peer.give_up_after_h) == (10, 1800, 72)

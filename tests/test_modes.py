from __future__ import annotations

import grp
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from dicom_node.config import Config
from dicom_node.errors import ConfigError
from dicom_node.modes import protect_folder, set_umask

OTHERS, GROUP = 0o007, 0o070


@pytest.fixture(autouse=True)
def umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def configured(folder: Path, group: str | None = None) -> Config:
    return Config.model_validate({"folder": folder, "storage": {"folder": "data", "group": group}})


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def old_folder(folder: Path) -> Path:
    """Make a data folder as every local user could read it."""
    inner = folder / "data" / "storage" / "1.2"
    inner.mkdir(parents=True)
    (inner / "1.3.dcm").touch()
    (folder / "data" / "catalog.sqlite").touch()
    return folder / "data"


def test_an_existing_folder_is_closed_to_every_other_user(tmp_path: Path) -> None:
    data = old_folder(tmp_path)
    protect_folder(configured(tmp_path))
    assert [mode(path) for path in (data, data / "storage", data / "catalog.sqlite")] == [0o700, 0o700, 0o600]


def test_what_is_written_is_for_the_user_alone(tmp_path: Path) -> None:
    config = configured(tmp_path)
    set_umask(config)
    protect_folder(config)
    (config.storage_folder / "runs").mkdir()
    (config.storage_folder / "runs" / "result.dcm").touch()
    assert [mode(path) for path in config.storage_folder.rglob("*")] == [0o700, 0o600]


def test_a_configured_group_may_read_what_is_there_and_what_comes(tmp_path: Path) -> None:
    group = grp.getgrgid(os.getgid()).gr_name
    data = old_folder(tmp_path)
    config = configured(tmp_path, group)
    set_umask(config)
    protect_folder(config)
    (data / "storage" / "1.2" / "1.4.dcm").touch()
    paths = [data, *data.rglob("*")]
    assert all(mode(path) & GROUP and not mode(path) & OTHERS for path in paths)
    assert {path.stat().st_gid for path in paths} == {os.getgid()}


def test_a_group_that_does_not_exist_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such group on this machine"):
        protect_folder(configured(tmp_path, "nobody-has-this-group"))

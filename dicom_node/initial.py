"""A new node's folder: its configuration, to be edited, and the folders that the configuration names."""

from __future__ import annotations

from pathlib import Path

from dicom_node import shipped
from dicom_node.config import Config, load_config
from dicom_node.errors import ConfigError
from dicom_node.modes import protect_folder


def start_folder(folder: Path) -> Config:
    """Write folder/config.toml, a copy of the default configuration, and make its storage and weights folders.

    Raises:
        ConfigError: a configuration is there already; nothing is changed then.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "config.toml"
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(shipped.CONFIG.read_text(encoding="utf-8"))
    except FileExistsError:
        raise ConfigError(f"{path} is there already; nothing was changed") from None
    config = load_config(path)
    protect_folder(config)
    config.weights_folder.mkdir(exist_ok=True)
    return config

"""Who may read what the node writes: its own user, and a group where the configuration names one."""

from __future__ import annotations

import grp
import logging
import os
import stat
from pathlib import Path

from dicom_node.config import Config
from dicom_node.errors import ConfigError

_log = logging.getLogger(__name__)

PRIVATE = 0o077
"""The umask of whatever writes patients' data, where no group is configured."""
_FOR_GROUP = 0o027
_FOLDER = 0o2750  # what is made in it belongs to its group too
_FILE = 0o640
_READERS = 0o055  # of the group and of others
_ENTERING = 0o011


def set_umask(config: Config) -> None:
    """Let this process, and those that it starts, write for the node's user and group only."""
    os.umask(_FOR_GROUP if config.storage.group else PRIVATE)


def make_storage_folder(config: Config) -> Path:
    """Make the storage folder where there is none, and return it.

    Raises:
        ConfigError: there is something else, or the folder cannot be made.
    """
    folder = config.storage_folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise ConfigError(f"[storage] folder: {error.filename} is a file where a folder is wanted") from error
    except OSError as error:
        raise ConfigError(f"[storage] folder: {folder} cannot be made: {error.strerror}") from error
    return folder


def protect_folder(config: Config) -> None:
    """Make the storage folder, and close it to other users.

    What stands in it is closed with it: nobody comes past a folder that is closed. Everything below is walked only
    where a group is new, which takes a while on a full disk.

    Raises:
        ConfigError: there is no such group here, or this user may not give files to it.
    """
    folder = make_storage_folder(config)
    if config.storage.group is None:
        for path in (folder, *folder.iterdir()):
            _close(path)
    else:
        _open_to(folder, config.storage.group)


def open_like_folder(path: Path) -> None:
    """Let whoever may read the folder around a path read what is there too, as weights: they are no patient's data."""
    readers = stat.S_IMODE(path.parent.stat().st_mode) & _READERS
    for place in (path, *path.rglob("*")):
        mode = stat.S_IMODE(place.stat().st_mode)
        place.chmod(mode | (readers if place.is_dir() else readers & ~_ENTERING))


def make_like_folder(path: Path) -> None:
    """Make a folder, where there is none, that is as open as the one around it."""
    if not path.is_dir():
        path.mkdir(parents=True)
        open_like_folder(path)


def _close(path: Path) -> None:
    mode = stat.S_IMODE(path.lstat().st_mode)
    if mode & PRIVATE and not path.is_symlink():
        path.chmod(mode & ~PRIVATE)


def _open_to(folder: Path, group: str) -> None:
    try:
        number = grp.getgrnam(group).gr_gid
    except KeyError as error:
        raise ConfigError(f"[storage] group = {group!r}: there is no such group on this machine") from error
    status = folder.stat()
    if status.st_gid == number and stat.S_IMODE(status.st_mode) == _FOLDER:
        return
    _log.info("giving %s to the group %s", folder, group)
    folder.chmod(0o700)  # until all below is right
    try:
        for place, _, names in os.walk(folder, topdown=False):
            for name in names:
                _give(Path(place, name), number, _FILE)
            _give(Path(place), number, _FOLDER)  # the folder itself comes last, and says that all was walked
    except PermissionError as error:
        raise ConfigError(f"[storage] group = {group!r}: {error.filename} cannot be given to it") from error


def _give(path: Path, group: int, mode: int) -> None:
    if not path.is_symlink():
        os.chown(path, -1, group)
        path.chmod(mode)

"""Packages of npm that tests open in a browser: outside programs, kept in a cache outside the repository."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

_PATIENCE_S = 300


class NotAtHandError(Exception):
    """npm is not installed, cannot be reached, or gives another package than the one that is pinned."""


@dataclass(frozen=True)
class Package:
    """A package as npm has it; `integrity` is its SHA-512 in base64, as npm states it."""

    name: str
    version: str
    integrity: str
    part: str  # the folder of the package that is kept, "." for all of it

    @property
    def folder(self) -> Path:
        """Where it is kept."""
        caches = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
        return caches / "dicom-node" / f"{self.name.replace('@', '').replace('/app', '')}-{self.version}"

    def install(self) -> Path:
        """Return the folder with its files, fetched from npm once.

        Raises:
            NotAtHandError: npm does not give it.
        """
        if not self.folder.is_dir():
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=self.folder.parent) as folder:
                self._unpack(self._fetch(Path(folder)), Path(folder))
                shutil.move(Path(folder) / "package" / self.part, self.folder)
        return self.folder

    def _fetch(self, folder: Path) -> Path:
        if shutil.which("npm") is None:
            raise NotAtHandError("no npm on PATH")
        command = ["npm", "pack", "--silent", "--fetch-retries=0", f"{self.name}@{self.version}"]
        try:
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=_PATIENCE_S)
        except subprocess.TimeoutExpired as error:
            raise NotAtHandError(f"npm did not give {self.name} {self.version} within {_PATIENCE_S} s") from error
        except subprocess.CalledProcessError as error:
            raise NotAtHandError(f"npm does not give {self.name} {self.version}: {error.stderr[-300:]}") from error
        return folder / done.stdout.split()[-1]

    def _unpack(self, package: Path, folder: Path) -> None:
        digest = base64.b64encode(hashlib.sha512(package.read_bytes()).digest()).decode()
        if digest != self.integrity:
            raise NotAtHandError(f"{package.name} is another package: SHA-512 {digest}")
        with tarfile.open(package) as archive:
            archive.extractall(folder, filter="data")

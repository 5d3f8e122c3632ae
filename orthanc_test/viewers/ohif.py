"""OHIF, as npm has it, in a cache outside the repository."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from tests.support.programs import give_up, require

VERSION = "3.13.2"
_INTEGRITY = "WZdxmpmG7rqFgW9ZJLcbgr3XCtLi1KDNPoMaeY5PPe6j4G4fjEjjkycZM6C6Zk2F87BKxFfpq+jd5xXZB9E8EA=="
"""The package's SHA-512 in base64, as npm states it."""

CONFIGURATION = """
window.config = {
  routerBasename: "/", extensions: [], modes: [], customizationService: {},
  showStudyList: true, maxNumberOfWebWorkers: 2,
  investigationalUseDialog: { option: "never" }, showWarningMessageForCrossOrigin: false, showCPUFallbackMessage: false,
  defaultDataSourceName: "dicomweb",
  dataSources: [{
    namespace: "@ohif/extension-default.dataSourcesModule.dicomweb", sourceName: "dicomweb",
    configuration: {
      friendlyName: "Orthanc", name: "Orthanc",
      qidoRoot: "/dicom-web", wadoRoot: "/dicom-web", wadoUriRoot: "/dicom-web",
      qidoSupportsIncludeField: false, enableStudyLazyLoad: true,
      imageRendering: "wadors", thumbnailRendering: "wadors",
      supportsFuzzyMatching: false, supportsWildcard: true, omitQuotationForMultipartRequest: true,
      bulkDataURI: { enabled: true, relativeResolution: "studies" },
    },
  }],
};
"""
"""OHIF's app-config.js: one DICOMweb source on the page's own origin."""


def install_ohif() -> Path:
    """Return the folder of OHIF's pages, fetched from npm once; gives the test up where npm has it not."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "dicom-node" / f"ohif-{VERSION}"
    if not cache.is_dir():
        require("npm")
        cache.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache.parent) as folder:
            _unpack(_fetch(Path(folder)), Path(folder))
            shutil.move(Path(folder) / "package" / "dist", cache)
    return cache


def _fetch(folder: Path) -> Path:
    command = ["npm", "pack", "--silent", f"@ohif/app@{VERSION}"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode:
        give_up(f"npm does not give @ohif/app {VERSION}: {done.stderr.strip()[-300:]}")
    return folder / done.stdout.split()[-1]


def _unpack(package: Path, folder: Path) -> None:
    digest = base64.b64encode(hashlib.sha512(package.read_bytes()).digest()).decode()
    if digest != _INTEGRITY:
        give_up(f"{package.name} is another package: SHA-512 {digest}")
    with tarfile.open(package) as archive:
        archive.extractall(folder, filter="data")

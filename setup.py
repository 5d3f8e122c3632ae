"""Puts the default configuration and the starter weights, which stand at the top of the source tree, into the wheel."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
CATALOG = ROOT / "weights" / "catalog.toml"


class BuildWithShipped(build_py):
    """Copies them to `dicom_node/shipped/`; an editable installation reads those of the source tree."""

    def run(self) -> None:
        """Build the packages, then add the files that the weights catalogue names."""
        super().run()
        if self.editable_mode:
            return
        shipped = Path(self.build_lib, "dicom_node", "shipped")
        weights = shipped / "weights"
        shutil.rmtree(weights, ignore_errors=True)
        weights.mkdir(parents=True)
        shutil.copy2(ROOT / "config.toml", shipped)
        entries = tomllib.loads(CATALOG.read_text(encoding="utf-8")).values()
        for file in (CATALOG, *(CATALOG.with_name(entry["file"]) for entry in entries)):
            shutil.copy2(file, weights)


setup(cmdclass={"build_py": BuildWithShipped})

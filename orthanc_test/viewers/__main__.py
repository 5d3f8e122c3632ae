"""`python -m orthanc_test.viewers`: fetch the viewers where npm gives them, or say in one line that it does not."""

from __future__ import annotations

import subprocess
import sys

from orthanc_test.viewers.dwv import DWV, NEEDED
from orthanc_test.viewers.npm import NotAtHandError
from orthanc_test.viewers.ohif import OHIF

_PATIENCE_S = 20


def main() -> int:
    """Return 0 where every viewer is in the cache."""
    packages = (OHIF, DWV, *(package for package, _, _ in NEEDED.values()))
    try:
        if not all(package.folder.is_dir() for package in packages):
            _ask_npm()
        for package in packages:
            package.install()
    except NotAtHandError as error:
        sys.stdout.write(f"no viewer is opened: {error}\n")
        return 1
    return 0


def _ask_npm() -> None:
    """Find out within seconds whether npm answers at all."""
    command = ["npm", "view", "--fetch-retries=0", f"{DWV.name}@{DWV.version}", "version"]
    try:
        subprocess.run(command, capture_output=True, check=True, timeout=_PATIENCE_S)
    except (OSError, subprocess.SubprocessError) as error:
        raise NotAtHandError("npm is not installed or does not answer") from error


if __name__ == "__main__":
    sys.exit(main())

"""What every process of the node does at its start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

COPIES_A_MALFORMED_BIRTH_DATE = """
from pathlib import Path
from pydicom import Dataset
from dicom_node.config import Config
from dicom_node.processes import set_up_log
set_up_log(Config(folder=Path()))
copy = Dataset()
copy.PatientBirthDate = "Syntheticus"
print(copy.PatientBirthDate)
"""


def test_a_malformed_birth_date_is_not_logged() -> None:
    command = [sys.executable, "-c", COPIES_A_MALFORMED_BIRTH_DATE]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[1], check=True)
    assert done.stdout.strip() == "Syntheticus"
    assert done.stderr == ""

"""What every process of the node does at its start."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

COPIES_A_MALFORMED_BIRTH_DATE = """
from pathlib import Path
from pydicom import Dataset
from dicom_node.config import Config
from dicom_node.logs import set_up_log
set_up_log(Config(folder=Path()))
copy = Dataset()
copy.PatientBirthDate = "Syntheticus"
print(copy.PatientBirthDate)
"""

HOLDS_AFTER_A_LARGE_BLOCK_BELOW_A_SMALL_ONE = """
import sys
from pathlib import Path
from dicom_node.processes import give_large_blocks_back
if "give" in sys.argv:
    give_large_blocks_back()
before = bytearray(16_000_000)
before = None  # glibc takes blocks of this size for small ones from now on
large = bytearray(8_000_000)
small = [bytes(1000) for _ in range(10_000)]
large = None
print(int(Path("/proc/self/statm").read_text().split()[1]) * 4096)
"""


def test_a_malformed_birth_date_is_not_logged() -> None:
    command = [sys.executable, "-c", COPIES_A_MALFORMED_BIRTH_DATE]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[1], check=True)
    assert done.stdout.strip() == "Syntheticus"
    assert done.stderr == ""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no such threshold")
def test_a_large_block_is_given_back_whatever_lies_above_it() -> None:
    kept, given_back = (_bytes_held("keep"), _bytes_held("give"))
    assert 7_000_000 < kept - given_back < 9_000_000


def _bytes_held(word: str) -> int:
    command = [sys.executable, "-c", HOLDS_AFTER_A_LARGE_BLOCK_BELOW_A_SMALL_ONE, word]
    return int(subprocess.run(command, capture_output=True, cwd=Path(__file__).parents[1], check=True).stdout)

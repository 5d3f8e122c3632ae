"""What C libraries print while they decode, in a process that takes that for their warnings."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from dicom_node.imaging.decoder_messages import decoder_messages

_CAPTURES = """
import logging, os
from pathlib import Path
from dicom_node.config import Config
from dicom_node.imaging.decoder_messages import capture_decoder_messages, decoder_messages
from dicom_node.logs import set_up_log
capture_decoder_messages()
set_up_log(Config(folder=Path()))
for said in (b"bad  code\\nsecond\\n", b"", b"x" * 200_000):
    with decoder_messages() as printed:
        logging.getLogger("ours").warning("of the log")
        try:
            os.write(2, said)
        except BlockingIOError:
            pass
    print([line[:9] for line in printed])
os.write(2, b"afterwards")
"""


def test_a_decoders_lines_are_collected_and_the_logs_own_are_not() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _CAPTURES], capture_output=True, text=True, cwd=Path(__file__).parents[2], check=True
    )
    assert done.stdout.splitlines() == ["['bad code', 'second']", "[]", "['xxxxxxxxx']"]
    *lines, last = done.stderr.splitlines()
    assert [line.rpartition(": ")[2] for line in lines] == ["of the log"] * 3
    assert last == "afterwards"


def test_a_process_that_did_not_ask_for_it_keeps_its_standard_error() -> None:
    with decoder_messages() as printed:
        pass
    assert printed == []

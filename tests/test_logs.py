"""The node's log: what it says of a series' way, what it never says, its formats and its file."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydicom import FileDataset

from dicom_node.config import load_config
from dicom_node.deliver import send
from dicom_node.demo.pacs import SmallPacs
from dicom_node.logs import JSONLine, SharedFile, TextLine
from tests.deliver.pacs import unused_port
from tests.receive.node import eventually
from tests.support.dicom import encoded, radiograph, series
from tests.test_cli import CONFIG

MARK = "GEHEIM"
FREE_TEXT = {
    "PatientName": f"{MARK}^NAME",
    "PatientID": f"{MARK}-1",
    "PatientComments": f"{MARK} comment",
    "SeriesDescription": f"{MARK} series",
    "StudyDescription": f"{MARK} study",
    "ProtocolName": f"{MARK} protocol",
    "ImageComments": f"{MARK} image",
    "AccessionNumber": MARK,
    "ReferringPhysicianName": f"{MARK}^DOCTOR",
    "PatientBirthDate": MARK,
    "ContrastBolusAgent": f"{MARK} agent",
}
LOG = '[log]\nlevel = "DEBUG"\nformat = "json"\nfile = "node.log"\n[workers]\npoll_s = 0.1\n'


def marked(image: FileDataset) -> bytes:
    for keyword, value in FREE_TEXT.items():
        setattr(image, keyword, value)
    return encoded(image)


@contextmanager
def serving(config: Path, stderr: Path) -> Iterator[None]:
    program = Path(sys.executable).with_name("dicom-node")
    environment = {"PYTHONPATH": str(Path(__file__).parents[1]), "PATH": "/usr/bin:/bin"}
    command = [str(program), "serve", "--config", str(config)]
    with stderr.open("w") as written, subprocess.Popen(command, stderr=written, env=environment) as node:
        try:
            yield
        finally:
            node.terminate()


@pytest.mark.filterwarnings("ignore")
def test_a_node_says_what_came_was_decided_ran_and_went_where_and_no_text_of_a_header(tmp_path: Path) -> None:
    images = [radiograph("1.2.1", "1.2.1.1"), *series(3)]
    paths = [tmp_path / f"{number}.dcm" for number, _ in enumerate(images)]
    for path, image in zip(paths, images, strict=True):
        path.write_bytes(marked(image))
    config = tmp_path / "config.toml"
    with SmallPacs(tmp_path / "pacs") as pacs:
        text = CONFIG.format(port=pacs.port, extra="").replace("port = 0", f"port = {unused_port()}", 1)
        config.write_text(text.replace("[storage]", "[storage]\nseries_quiet_s = 0.2") + LOG)
        settings = load_config(config)
        log = tmp_path / "node.log"
        with serving(config, tmp_path / "stderr"):
            eventually(lambda: log.exists() and " listens on " in log.read_text(), within_s=60)
            peer = settings.peers["pacs"].model_copy(update={"ae_title": "DICOMNODE", "port": settings.node.port})
            assert all(sent.outcome == "stored" for sent in send(settings, peer, paths))
            eventually(lambda: log.read_text().count('"event": "delivered"') == 1, within_s=90)
        said = log.read_text() + (tmp_path / "stderr").read_text()
    events = [json.loads(line) for line in log.read_text().splitlines()]
    kinds = [line["event"] for line in events if "event" in line]
    assert {"received", "decided", "ran", "delivered"} <= set(kinds)
    (came,) = [line for line in events if line.get("study") == "1.2.1"]
    assert (came["caller"], came["address"], came["objects"]) == ("DICOMNODE", "127.0.0.1", 1)
    assert any("stack" in line["message"] and "runs lung (route lungs)" in line["message"] for line in events)
    assert f"results at pacs (SMALLPACS at 127.0.0.1:{pacs.port}): " in said
    assert MARK not in said
    assert "pynetdicom" not in said


def record(message: str, *args: object, exc_info: bool = False) -> logging.LogRecord:
    info = sys.exc_info() if exc_info else None
    return logging.LogRecord("dicom_node.x", logging.INFO, "x.py", 1, message, args, info)


@pytest.mark.parametrize("line", [TextLine(), JSONLine()])
def test_a_line_stays_one_line_and_steers_no_terminal(line: logging.Formatter) -> None:
    said = line.format(record("a %s", "b\n\x1b[31mc\u202e"))
    assert "\n" not in said
    assert "\x1b" not in said
    assert "x1b[31mc" in said


@pytest.mark.parametrize("line", [TextLine(), JSONLine()])
def test_a_traceback_keeps_its_frames_and_type_and_not_the_message(line: logging.Formatter) -> None:
    try:
        int(MARK)
    except ValueError:
        said = line.format(record("failed", exc_info=True))
    assert "test_logs.py" in said
    assert "ValueError" in said
    assert MARK not in said


def test_the_file_is_put_aside_when_it_is_full_and_whole_lines_are_kept(tmp_path: Path) -> None:
    one, other = (SharedFile(tmp_path / "node.log", most_bytes=100, count=2) for _ in range(2))
    for number in range(40):
        (one if number % 2 else other).emit(record(f"line {number:02}"))
    names = ["node.log.2", "node.log.1", "node.log"]
    lines = [line for name in names for line in (tmp_path / name).read_text().splitlines()]
    assert lines == [f"line {number:02}" for number in range(40 - len(lines), 40)]
    assert all((tmp_path / name).stat().st_size <= 100 for name in names)
    assert not (tmp_path / "node.log.3").exists()

"""The commands as a person types them: four in processes of their own, the others in this one."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from unittest import mock

import pytest

from dicom_node.catalog import Catalog, Delivery, DeliveryState
from dicom_node.cli import main
from dicom_node.config import load_config
from dicom_node.demo.pacs import SmallPacs
from tests.support.dicom import PATIENT_ID, PATIENT_NAME, encoded, radiograph, series
from tests.work.house import House

CONFIG = """
[node]
receivers = 1
port = 0
[storage]
min_free_gb = 0
max_study_age_days = 100000
[peers.pacs]
ae_title = "SMALLPACS"
host = "127.0.0.1"
port = {port}
timeout_s = 5
[pipelines.contrast]
use = "tests.support.stand_in:StandInGate"
[pipelines.lung]
use = "tests.support.stand_in:StandIn"
{extra}
[gates.contrast]
pipeline = "contrast"
when = {{ Modality = "CT" }}
[[routes]]
name = "lungs"
run = ["lung"]
send_to = ["pacs"]
when = {{ Modality = "CR", ViewPosition = ["PA", "AP"] }}
[[routes]]
name = "livers"
run = ["lung"]
send_to = ["pacs"]
when = {{ Modality = "CT", contrast = "enhanced" }}
"""


@pytest.fixture
def pacs(tmp_path: Path) -> Iterator[SmallPacs]:
    with SmallPacs(tmp_path / "pacs") as running:
        yield running


def configured(folder: Path, port: int, extra: str = "") -> Path:
    path = folder / "config.toml"
    path.write_text(CONFIG.format(port=port, extra=extra))
    return path


@dataclasses.dataclass(frozen=True, slots=True)
class Done:
    """What a command said."""

    returncode: int
    stdout: str
    stderr: str


def here(config: Path, *words: str) -> Done:
    """Run the command line in this process, which has imported it already."""
    out = StringIO()
    argv = ["dicom-node", *words, "--config", str(config)]
    with (
        mock.patch.object(sys, "argv", argv),
        mock.patch.dict(os.environ, COLUMNS="250"),
        redirect_stdout(out),
        pytest.raises(SystemExit) as ended,
    ):
        main()
    said = ended.value.code or 0
    return Done(said if isinstance(said, int) else 1, out.getvalue(), str(said))


def run(config: Path, *words: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("dicom-node")
    environment = {"PYTHONPATH": str(Path(__file__).parents[1]), "COLUMNS": "250", "PATH": "/usr/bin:/bin"}
    command = [str(program), *words, "--config", str(config)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env=environment)


def test_check_passes_where_everything_is_right(tmp_path: Path, pacs: SmallPacs) -> None:
    done = run(configured(tmp_path, pacs.port), "check")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"SMALLPACS at 127.0.0.1:{pacs.port} answers" in done.stdout
    assert "weights are the catalogue's" in done.stdout


def test_check_says_what_to_do_about_each_failure(tmp_path: Path, pacs: SmallPacs) -> None:
    with SmallPacs(tmp_path / "other") as other:
        gone = other.port
    config = configured(tmp_path, gone, "[pipelines.broken]\nuse = 'nowhere:Nothing'\n")
    config.write_text(config.read_text().replace("min_free_gb = 0", "min_free_gb = 1e9"))
    done = run(config, "check")
    assert done.returncode == 1
    for said in ("cannot import 'nowhere'", "mend", "0xA700", "at the peer, enter DICOMNODE", "[peers.pacs]"):
        assert said in done.stdout
    assert pacs.instances() == []


def test_a_wrong_configuration_is_one_line_and_no_trace(tmp_path: Path) -> None:
    config = configured(tmp_path, 104)
    config.write_text(config.read_text().replace("timeout_s", "timout_s"))
    done = run(config, "status")
    assert done.returncode == 1
    assert "did you mean 'timeout_s'?" in done.stderr
    assert "Traceback" not in done.stderr


def test_explain_shows_each_condition_with_the_value_seen(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    for number, image in enumerate([radiograph("1.2.1", "1.2.1.1"), *series(3)]):
        (folder / f"{number}.dcm").write_bytes(encoded(image))
    config = configured(tmp_path, 104)
    shown = here(config, "explain", str(folder))
    assert shown.returncode == 0, shown.stderr
    for said in ("ViewPosition", "PA", "contrast", "livers", "lungs"):
        assert said in shown.stdout
    assert PATIENT_ID not in shown.stdout
    assert str(PATIENT_NAME) not in shown.stdout
    told = here(config, "explain", str(folder), "--json").stdout
    assert '"verdict": "run"' in told
    assert '"verdict": "nothing to run"' in told


def test_explain_goes_on_after_an_object_that_cannot_be_read(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    bad, good = folder / "a.dcm", folder / "b.dcm"
    nameless = radiograph("1.2.2", "1.2.2.1")
    del nameless.StudyInstanceUID
    bad.write_bytes(encoded(nameless))
    good.write_bytes(encoded(radiograph("1.2.1", "1.2.1.1")))
    shown = here(configured(tmp_path, 104), "explain", str(folder))
    assert shown.returncode == 1
    assert f"{bad}: names no Study or Series Instance UID" in shown.stderr
    assert "lungs" in shown.stdout


def test_explain_of_nothing_dicom_says_so(tmp_path: Path) -> None:
    done = here(configured(tmp_path, 104), "explain", str(tmp_path))
    assert done.returncode == 1
    assert "no DICOM file here" in done.stderr


def test_send_reports_what_the_peer_stored(tmp_path: Path, pacs: SmallPacs) -> None:
    image = tmp_path / "image.dcm"
    image.write_bytes(encoded(radiograph("1.2.1", "1.2.1.1")))
    done = here(configured(tmp_path, pacs.port), "send", str(image), "--peer", "pacs")
    assert "1 of 1 objects stored at SMALLPACS" in done.stdout
    assert len(pacs.instances()) == 1


def test_status_before_the_first_start_is_empty(tmp_path: Path) -> None:
    done = here(configured(tmp_path, 104), "status")
    assert done.returncode == 0, done.stderr
    assert "0 instances" in done.stdout


def test_status_history_and_retry_of_what_was_received(tmp_path: Path, pacs: SmallPacs) -> None:
    house = House(tmp_path, CONFIG.format(port=pacs.port, extra=""))
    house.put(radiograph("1.2.1", "1.2.1.1"))
    (stack,) = house.settle()
    config = tmp_path / "config.toml"
    assert "delivered" in here(config, "status").stdout
    told = here(config, "explain", stack.id[:8]).stdout
    assert "delivered: lung to pacs" in told
    assert "ViewPosition" in told
    assert "is judged again" in here(config, "retry", stack.id[:8], "--fact", "contrast=enhanced").stdout
    assert "no stack begins with" in here(config, "retry", "zz").stderr
    with Catalog(load_config(config).catalog_url).write() as session:
        for row in house.rows(Delivery):
            session.merge(row).state = DeliveryState.FAILED
    assert "2 deliveries are tried again now" in here(config, "retry").stdout


def test_weights_list_shows_each_entrys_card() -> None:
    done = here(Path(__file__).parents[1] / "config.toml", "weights", "list")
    assert "contrast_ct_small" in done.stdout
    assert "None of these is a medical device" in done.stdout


def test_a_further_work_process_is_refused_on_sqlite(tmp_path: Path) -> None:
    done = run(configured(tmp_path, port=1), "work")
    assert done.returncode == 1
    assert "PostgreSQL" in done.stderr

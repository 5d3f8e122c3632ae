"""The commands as a person types them: four in processes of their own, the others in this one."""

from __future__ import annotations

import dataclasses
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import redirect_stdout
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import StringIO
from pathlib import Path
from unittest import mock

import pytest

from dicom_node.catalog import Catalog, Delivery, DeliveryState
from dicom_node.cli import main
from dicom_node.cli_shared import out as console
from dicom_node.config import load_config
from dicom_node.demo.pacs import SmallPacs
from dicom_node.imaging.syntaxes import STORED_ONLY
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


def here(config: Path, *words: str, columns: int = 250) -> Done:
    """Run the command line in this process, which has imported it already."""
    out = StringIO()
    argv = ["dicom-node", *words, "--config", str(config)]
    with (
        mock.patch.object(sys, "argv", argv),
        mock.patch.dict(os.environ, COLUMNS=str(columns)),
        mock.patch.object(console, "_width", columns),  # which read COLUMNS when it was made
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
    (line,) = (line for line in done.stdout.splitlines() if "transfer syntaxes: " in line)
    assert all(syntax.name in line for syntax in STORED_ONLY)


def test_check_says_what_to_do_about_each_failure(tmp_path: Path, pacs: SmallPacs) -> None:
    with SmallPacs(tmp_path / "other") as other:
        gone = other.port
    config = configured(tmp_path, gone, "[pipelines.broken]\nuse = 'nowhere:Nothing'\n")
    config.write_text(config.read_text().replace("min_free_gb = 0", "min_free_gb = 1e9"))
    done = run(config, "check")
    assert done.returncode == 1
    for said in ("cannot import 'nowhere'", "mend", "0xA700", "start the peer, or correct [peers.pacs] port"):
        assert said in done.stdout
    assert pacs.instances() == []


@pytest.fixture
def web_server() -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def test_check_finds_what_is_allowed_but_never_meant(place: Path, web_server: int) -> None:
    text = place.read_text().replace("port = 104", f"port = {web_server}")
    text = text.replace('contrast = "enhanced"', 'contrast = "enhancd"').replace('send_to = ["pacs"]', "", 1)
    place.write_text(text + "[conditions.spare]\nRows = 7\n[node.tls]\ncertificate = 'a'\nkey = 'b'\nca = 'c'\n")
    done = here(place, "check", "--json")
    assert done.returncode == 1
    seen = {(proof["what"], proof["state"]): proof for proof in json.loads(done.stdout)["proofs"]}
    assert "did you mean 'enhanced'?" in seen["routes", "wrong"]["seen"]
    assert "is a web server" in seen["peer pacs", "wrong"]["seen"]
    assert f"http://127.0.0.1:{web_server}/" in seen["peer pacs", "wrong"]["advice"]
    assert str(place.parent / "a") in seen["node.tls", "wrong"]["seen"]
    assert ("route 'lungs'", "off") in seen
    assert ("conditions.spare", "off") in seen


def test_check_fails_where_nothing_could_ever_run_and_keeps_paths_whole(tmp_path: Path, pacs: SmallPacs) -> None:
    folder = tmp_path / "a-folder-with-quite-a-long-name-as-hospitals-have-them" / "and-another-one-below-it"
    folder.mkdir(parents=True)
    config = configured(folder, pacs.port)
    config.write_text(config.read_text().partition("[[routes]]")[0])
    done = here(config, "check", columns=40)
    assert done.returncode == 1
    assert "nothing would ever run" in done.stdout
    assert str(folder / "data") in done.stdout


def test_a_wrong_configuration_is_one_line_and_no_trace(tmp_path: Path) -> None:
    config = configured(tmp_path, 104)
    config.write_text(config.read_text().replace("timeout_s", "timout_s"))
    done = run(config, "status")
    assert done.returncode == 1
    assert "did you mean 'timeout_s'?" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("words", [("status",), ("verify",), ("retry",), ("explain", "0123abcd")])
def test_a_damaged_catalog_is_one_line_and_no_trace(tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "catalog.sqlite").write_bytes(b"no database at all" * 1000)
    done = here(configured(tmp_path, 104), *words)
    assert done.returncode == 1
    assert "catalog.sqlite is damaged (file is not a database): stop the node, then restore it" in done.stderr


def test_what_a_command_writes_is_for_its_user_alone(tmp_path: Path) -> None:
    here(configured(tmp_path, 104), "retry")
    written = [tmp_path / "data", *(tmp_path / "data").iterdir()]
    assert {path.stat().st_mode & 0o077 for path in written} == {0}


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
    verdicts = {stack["decision"]["verdict"] for stack in json.loads(told)["stacks"]}
    assert verdicts == {"run", "nothing to run"}


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


def test_send_says_a_reason_that_objects_share_once(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.dcm").write_bytes(encoded(radiograph("1.2.1", f"1.2.1.{number}")))
    done = here(configured(tmp_path, port=1), "send", str(folder), "--peer", "pacs")
    first, last = done.stdout.splitlines()
    assert "and 2 other objects: SMALLPACS at 127.0.0.1:1 refused the connection" in first
    assert last == "0 of 3 objects stored at SMALLPACS"


def test_status_before_the_first_start_is_empty(tmp_path: Path) -> None:
    done = here(configured(tmp_path, 104), "status")
    assert done.returncode == 0, done.stderr
    assert "0 instances" in done.stdout


@pytest.fixture
def received(tmp_path: Path, pacs: SmallPacs) -> Path:
    """Return the configuration of a node that has delivered a radiograph, and had nothing to run on a CT."""
    house = House(tmp_path, CONFIG.format(port=pacs.port, extra=""))
    house.models.contrast = "non-enhanced"
    image = radiograph("1.2.1", "1.2.1.1")
    image.PatientID, image.AccessionNumber = "SYN-1", "ACC-1"
    house.put(image, *series(3))
    house.settle()
    return tmp_path / "config.toml"


@pytest.mark.parametrize(
    ("words", "count"),
    [
        ("--patient SYN-1", 1),
        (f"--patient {PATIENT_ID}", 1),
        ("--patient SYN", 0),
        ("--accession ACC-1", 1),
        ("--patient SYN-1 --accession ACC-2", 0),
        ("--study 1.2.1", 1),
        ("--state delivered", 1),
        ("--since 1h", 2),
        ("--since 2999-01-01", 0),
    ],
)
def test_status_finds_stacks_and_says_when_they_changed(received: Path, words: str, count: int) -> None:
    told = json.loads(here(received, "status", *words.split(), "--json").stdout)
    assert (told["command"], len(told["stacks"])) == ("status", count)
    assert all(stack["changed"].endswith("Z") for stack in told["stacks"])


def test_explain_finds_stacks_and_shows_the_verdict_first(received: Path) -> None:
    told = here(received, "explain", "--patient", "SYN-1").stdout
    assert told.index("delivered: lung to pacs") < told.index("Route lungs: matches")
    assert "livers" not in told
    assert "livers" in here(received, "explain", "--patient", "SYN-1", "--all").stdout
    (stack,) = json.loads(here(received, "explain", "--patient", "SYN-1", "--json").stdout)["stacks"]
    assert (stack["state"], stack["decision"]["verdict"]) == ("delivered", "run")
    assert stack["events"][0]["at"].endswith("Z")


@pytest.mark.parametrize(
    "words", ["status", "status --state held", "retry", "verify", "weights list", "explain --since 1h", "check"]
)
def test_each_command_prints_one_json_document(received: Path, words: str) -> None:
    told = json.loads(here(received, *words.split(), "--json").stdout)
    assert told["command"] == " ".join(word for word in words.partition("--")[0].split())


@pytest.mark.parametrize(
    ("words", "code"),
    [("status --since yesterday", 2), ("explain", 2), ("explain x --patient y", 2), ("status --state delivred", 1)],
)
def test_a_search_that_makes_no_sense_is_refused(received: Path, words: str, code: int) -> None:
    assert here(received, *words.split()).returncode == code


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


WRONG_WORDS = [
    ("send --peer pac IMAGE", "no peer 'pac' in the configuration ([peers.NAME]); did you mean 'pacs'?"),
    ("send --peer pacs NOWHERE", "there is no such file or folder"),
    ("send --peer pacs FOLDER", "no DICOM file here"),
    ("explain NOWHERE", "no stack begins with"),
    ("retry % --force", "no stack begins with '%'"),
    ("retry zz --fact contrast=bananas", "the gate answers enhanced, non-enhanced, uncertain"),
    ("retry zz --fact colour=blue", "'colour' is no fact: the gates' are contrast"),
    ("fetch pac --patient X", "did you mean 'pacs'?"),
    ("run lugn IMAGE --out FOLDER", "no pipeline 'lugn' in the configuration ([pipelines.NAME]); did you mean 'lung'?"),
    ("run lung NOWHERE --out FOLDER", "there is no such file or folder"),
    (
        "run lung IMAGE --out FOLDER --weights nope",
        "no weights for lung: 'nope' is not among those that come with the program",
    ),
    ("weights list nope", "no entry 'nope' in the catalogue; there are brain_mr_small, contrast_ct_small"),
    ("weights import NOWHERE --as x", "NOWHERE: cannot be opened: No such file"),
    ("train lung_cxr --data NOWHERE", "there is no such folder"),
    ("send EMPTY", "EMPTY: no DICOM file here"),
    ("explain EMPTY", "EMPTY: no DICOM file here"),
    ("explain FOLDER", "FOLDER: no DICOM file here"),
    ("status --state deliverd", "a stack has no state 'deliverd', but new, "),
    ("status --state deliverd", "did you mean 'delivered'?"),
    ("retry zz --fact kind=volum", 'there is no kind = "volum": it is one of volume'),
    ("retry zz --fact plane=axail", "did you mean 'axial'?"),
    ("conflicts keep zz", "no version begins with 'zz'"),
    ("conflicts settle zz", "no result 'zz' waits for a person"),
    ("weights import EMPTY --as x", "EMPTY: is neither HDF5 (Keras .h5) nor a PyTorch checkpoint"),
    ("weights import FOLDER --as x", "FOLDER: say with --recipe what prepares its input"),
    ("weights import FOLDER --as x --recipe LungSeg", "FOLDER: is no SavedModel: it holds no saved_model.pb"),
    ("weights import IMAGE --as a/b", "'a/b' cannot name an entry"),
    ("weights probe nope --input EMPTY --output o", "no entry 'nope' in the catalogue; there are brain_mr_small"),
    ("weights probe lung_cxr_small --input EMPTY --output o", "EMPTY: is no .npy array"),
    ("weights probe lung_cxr_small --input NOWHERE --output o", "NOWHERE: No such file or directory"),
    ("evaluate lung --data NOWHERE", "there is no such folder"),
]
BAD_ARGUMENTS = [
    "retry zz --fact contrast",
    "retry zz --fact =enhanced",
    "retry --fact contrast=enhanced",
    "fetch pacs",
    "fetch pacs --patient A\\B",
    "fetch pacs --patient X --date 2026-01-01",
    "fetch pacs --patient X --date 20261301",
    "fetch pacs --patient X --date 20260201-20260101",
    "run lung IMAGE --out IMAGE",
    "fetch pacs --patient X --date 2026",
    "status --since 3x",
    "conflicts kep x",
    "weights lst",
    "statsu",
]
WRONG_KEYS = [
    ("[storage]", '[storage]\nfolder = "IMAGE"', "status", "IMAGE is a file where a folder is wanted"),
    ("[storage]", '[storage]\nfolder = "IMAGE/data"', "status", "is a file where a folder is wanted"),
    ("[storage]", '[storage]\ngroup = "no-group"', "serve", "there is no such group on this machine"),
    ("port = 0", "port = TAKEN", "serve", "cannot be listened on: Address already in use"),
    ("timeout_s", "timeout_ms", "status", "did you mean 'timeout_s'?"),
    ("min_free_gb = 0", 'min_free_gb = "much"', "status", "storage.min_free_gb: a number is wanted; 'much' came"),
    ("[storage]", "[storag]", "status", "storag: unknown keyword; did you mean 'storage'?"),
    ("[storage]", "[storage", "status", "not TOML"),
]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the configuration of a folder that is the working directory, with IMAGE (a text), EMPTY and FOLDER."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "FOLDER").mkdir()
    (tmp_path / "IMAGE").write_text("no image")
    (tmp_path / "EMPTY").touch()
    return configured(tmp_path, 104)


@pytest.mark.parametrize(("words", "said"), WRONG_WORDS)
def test_a_wrong_word_is_a_sentence_and_no_trace(place: Path, words: str, said: str) -> None:
    assert said in here(place, *words.split()).stderr


@pytest.mark.parametrize(("old", "new", "words", "said"), WRONG_KEYS)
def test_a_wrong_key_is_a_sentence_and_no_trace(place: Path, old: str, new: str, words: str, said: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        place.write_text(place.read_text().replace(old, new.replace("TAKEN", port), 1))
        done = here(place, words)
    assert (done.returncode, said in done.stderr) == (1, True), done.stderr


def test_check_says_in_a_sentence_that_the_storage_folder_is_a_file(place: Path) -> None:
    place.write_text(place.read_text().replace("[storage]", '[storage]\nfolder = "IMAGE"'))
    told = here(place, "check").stdout
    assert "IMAGE is a file where a folder is wanted" in told
    assert "Error: " not in told


@pytest.mark.parametrize("words", BAD_ARGUMENTS)
def test_a_bad_argument_is_a_usage_error(place: Path, words: str) -> None:
    assert here(place, *words.split()).returncode == 2


def test_weights_list_shows_each_entrys_card() -> None:
    done = here(Path(__file__).parents[1] / "config.toml", "weights", "list")
    assert "contrast_ct_small" in done.stdout
    assert "None of these is a medical device" in done.stdout


def test_a_further_work_process_is_refused_on_sqlite(tmp_path: Path) -> None:
    done = run(configured(tmp_path, port=1), "work")
    assert done.returncode == 1
    assert "PostgreSQL" in done.stderr

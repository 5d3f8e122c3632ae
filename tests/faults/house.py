"""One node under test: its process, its two archives, a small disk, a clock that can be moved."""

from __future__ import annotations

import os
import shutil
import signal
import struct
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Literal, Self, TypeAlias

from pydicom import Dataset
from sqlalchemy import func, select

from dicom_node.catalog import Delivery, PeerState
from dicom_node.demo.orthanc import Orthanc, free_port
from dicom_node.status import read_status
from orthanc_test.running import RunningNode
from tests.faults import processes
from tests.faults.archive import Archive

Part: TypeAlias = Literal["receiver", "registrar", "worker", "supervisor", "model"]

_HERE = Path(__file__).parent
_BALLAST = "ballast"
_ENDS = {("orthanc", "stored"), ("archive", "committed")}  # of a delivery that did not fail
CONFIG = """
[node]
receivers = 2
port = {port}
silence_s = 3
idle_s = 3
restart_max_s = 1
[storage]
folder = "disk/data"
min_free_gb = 0.008
series_quiet_s = 0.5
study_quiet_s = 0.5
regeneration_s = 1
max_study_age_days = {max_study_age_days}
[workers]
poll_s = 0.3
lease_s = 3
threads = 1
{database}
[callers.pacs]
ae_title = "PACS"
addresses = "127.0.0.2"
corrects = true
[peers.orthanc]
ae_title = "{orthanc_title}"
host = "127.0.0.1"
port = {orthanc_port}
timeout_s = 10
retry_s = 0.3
retry_max_s = 1
[peers.archive]
ae_title = "ARCHIVE"
host = "127.0.0.1"
port = {archive_port}
commitment = "required"
commit_timeout_h = 0.002
timeout_s = 3
retry_s = 0.3
retry_max_s = 1
[pipelines.contrast]
use = "site_models:SlowGate"
signals = "{signals}"
outputs = ["SR"]
[pipelines.marker]
use = "site_models:SlowMarker"
signals = "{signals}"
outputs = ["SEG", "SR"]
{gate}{routes}"""
GATE = """
[gates.contrast]
pipeline = "contrast"
when = { Modality = "CT" }
send_to = ["orthanc", "archive"]
"""
ROUTE = """
[[routes]]
name = "mark"
run = ["marker"]
send_to = ["orthanc", "archive"]
when = { Modality = "CT", contrast = "enhanced" }
"""

KEPT_HERE = """
[pipelines.viewer]
use = "site_models:Viewer"
[pipelines.outliner]
use = "site_models:SlowMarker"
outputs = ["SEG", "SR"]
[[routes]]
name = "view"
run = ["viewer"]
when = { kind = "radiograph" }
[[routes]]
name = "mark"
run = ["outliner"]
when = { Modality = "CT" }
"""
"""Every radiograph and volume is decoded, and what is made of it is kept here."""


class House:
    """`with House(folder, orthanc) as house`: everything stands and the node listens."""

    def __init__(
        self,
        folder: Path,
        orthanc: Orthanc,
        databases: Mapping[str, str] | None = None,
        *,
        max_study_age_days: int = 100_000,
        disk_mb: int = 192,
        gate: str = GATE,
        routes: str = ROUTE,
    ) -> None:
        """A small `max_study_age_days` lets the old studies that the tests make be stored and not run.

        `gate` and `routes` are tables of the configuration; by default the marker runs on every volume.
        """
        self.folder = folder
        self.orthanc = orthanc
        self.archive = Archive()
        self.disk = folder / "disk"
        self.catalog_is_held = False  # by a step
        self._signals = folder / "signals"
        self._clock = folder / "clock"
        self._databases = databases or {}
        self._max_study_age_days = max_study_age_days
        self._disk_mb = disk_mb
        self._tables = {"gate": gate, "routes": routes}
        self.has_small_disk = False  # whether it could be mounted
        self._node: RunningNode | None = None
        self._further: subprocess.Popen[bytes] | None = None

    @property
    def node(self) -> RunningNode:
        """The running node."""
        assert self._node is not None, "the house is not entered"
        return self._node

    def __enter__(self) -> Self:
        for folder in (self.disk, self._signals):
            folder.mkdir(parents=True)
        mount = ["mount", "-t", "tmpfs", "-o", f"size={self._disk_mb}m", "none", str(self.disk)]
        self.has_small_disk = subprocess.run(mount, check=False, capture_output=True).returncode == 0
        self.archive.__enter__()
        self.move_clock(0.0)
        shutil.copy(_HERE / "site_models.py", self.folder)
        self._node = RunningNode(self._configured(), self._environment())
        try:
            self.start()
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with ExitStack() as after:
            after.callback(self._unmount)
            after.callback(self.archive.__exit__, kind, error, trace)
            after.callback(self._end_node)
            self.end_further_worker()

    def _unmount(self) -> None:
        if self.has_small_disk:
            subprocess.run(["umount", "--lazy", self.disk], check=True)

    def _end_node(self) -> None:
        if self._node is not None:
            try:
                self._node.__exit__(None, None, None)
            except subprocess.TimeoutExpired:
                self._node.end(signal.SIGKILL)

    def _configured(self) -> Path:
        path = self.folder / "config.toml"
        database = "".join(f'{name} = "{url}"\n' for name, url in self._databases.items())
        self.archive.node_port = free_port()
        path.write_text(
            CONFIG.format(
                port=self.archive.node_port,
                max_study_age_days=self._max_study_age_days,
                database=f"[database]\n{database}" if database else "",
                orthanc_title=self.orthanc.ae_title,
                orthanc_port=self.orthanc.dicom_port,
                archive_port=self.archive.port,
                signals=self._signals,
                **self._tables,
            )
        )
        return path

    def _environment(self) -> dict[str, str]:
        path = os.pathsep.join(filter(None, [str(_HERE / "clock"), os.environ.get("PYTHONPATH", "")]))
        return {**os.environ, "PYTHONPATH": path, "FAULTS_CLOCK": str(self._clock)}

    @property
    def port(self) -> int:
        """Where the node listens."""
        return self.node.config.node.port

    def start(self) -> None:
        """Start the node, and wait until it listens."""
        self.node.__enter__()

    def pids(self, part: Part) -> list[int]:
        """Return the processes that are a part of the node, found in its process tree."""
        supervisor = self.node.pid
        if part == "supervisor":
            return [supervisor]
        below = processes.children(supervisor)
        receivers = processes.listeners(below, self.port)
        workers = processes.holders(below, self.node.config.storage_folder / "locks")
        if part == "model":
            return [one for pid in workers for one in processes.children(pid)]
        rest = [pid for pid in below if pid not in {*receivers, *workers}]
        return {"receiver": receivers, "worker": workers, "registrar": rest}[part]

    def wait_until_whole(self) -> None:
        """Wait until every part is up, after whatever happened before."""
        receivers = self.node.config.node.receiver_count

        def is_whole() -> bool:
            parts = [self.pids(part) for part in ("registrar", "worker", "receiver")]
            log = self.node.log()
            are_up = all(f"is up, process {pid}\n" in log for pids in parts for pid in pids)
            return all(parts) and len(parts[-1]) == receivers and are_up

        self.wait(is_whole, 120, "every part to be up", every_s=0.1)

    def kill(self, part: Part) -> None:
        """Kill -9 every process of a part; a dead supervisor is started again, as a service manager would."""
        pids = self.pids(part)
        assert pids, f"no {part} to kill"
        if part == "supervisor":
            self.node.end(signal.SIGKILL)
            self.start()
        else:
            processes.kill(pids)

    def start_further_worker(self) -> None:
        """Start `dicom-node work` beside the node, and wait for it."""
        log = self.folder / "further.log"
        log.unlink(missing_ok=True)  # an earlier one's
        self._further = self.node.beside("work", log)
        self.wait(lambda: log.exists() and "is up" in log.read_text(), 90, "a further work process")

    @property
    def has_further_worker(self) -> bool:
        """Whether a further work process runs."""
        return self._further is not None and self._further.poll() is None

    def end_further_worker(self) -> None:
        """Kill -9 the further work process; nothing starts it again."""
        further, self._further = self._further, None
        if further is not None:
            further.kill()
            further.wait()

    def hold(self, step: str) -> None:
        """Let the stand-in model of "gating" or "inferring" stay in its next run."""
        for path in self._signals.glob(f"reached-{step}*"):
            path.unlink()
        (self._signals / f"hold-{step}").touch()

    def models_busy(self, step: str = "inferring") -> int:
        """Return in how many processes that model has begun since it was told to stay."""
        return sum(1 for _ in self._signals.glob(f"reached-{step}-*"))

    def wait_until_reached(self, step: str, timeout_s: float) -> None:
        """Wait until that model runs."""
        self.wait((self._signals / f"reached-{step}").exists, timeout_s, f"{step} to begin")

    def release(self) -> None:
        """Let every model and the archive go on."""
        for path in self._signals.glob("hold-*"):
            path.unlink()
        self.archive.release()

    def move_clock(self, seconds: float) -> None:
        """Set how far the node's clock is from the real one."""
        if self._clock.exists():
            with self._clock.open("r+b") as file:
                file.write(struct.pack("<d", seconds))
        else:
            self._clock.write_bytes(struct.pack("<d", seconds))

    @contextmanager
    def full_disk(self) -> Iterator[None]:
        """Fill the disk to its last byte."""
        ballast = self.disk / _BALLAST
        try:
            with ballast.open("wb", buffering=0) as file:
                for size in (1 << 20, 1 << 12, 1):
                    _write_until_full(file.write, bytes(size))
            yield
        finally:
            ballast.unlink(missing_ok=True)

    def attempts(self, peer: str) -> int:
        """Return how often a peer was called in vain, or tried or asked for one result that has no end there yet."""
        query = select(func.max(Delivery.attempt + Delivery.asked))
        query = query.where(Delivery.peer == peer, Delivery.state != "committed")
        with self.node.catalog.read() as session:
            state = session.get(PeerState, peer)
            return max(session.scalar(query) or 0, state.failures if state is not None else 0)

    def settled(self, instances: int) -> bool:
        """Say whether so many instances are in the catalog and nothing is on its way any more."""
        status = read_status(self.node.catalog)
        under_way = sum(count for end, count in status.deliveries.items() if end not in _ENDS and end[1] != "failed")
        return status.instances >= instances and status.unfinished == 0 and under_way == 0

    def has_ended(self) -> bool:
        """Say whether nothing is on its way any more, and no result is to be looked for at a peer."""
        status = read_status(self.node.catalog)
        open_states = {"waiting", "sending", "recalled"}
        under_way = sum(count for end, count in status.deliveries.items() if end[1] in open_states)
        to_be_proved = status.deliveries.get(("archive", "stored"), 0)
        folder = self.node.config.storage_folder
        return not (status.unfinished or under_way or to_be_proved or any((folder / "incoming").iterdir()))

    def has_stack_of(self, images: Sequence[Dataset]) -> bool:
        """Say whether these images are one stack, which was not corrected."""
        wanted = {str(image.SOPInstanceUID) for image in images}
        stacks = [one for one in self.node.stacks() if not one.corrected]
        return any(wanted == {frame["sop_instance_uid"] for frame in one.content["frames"]} for one in stacks)

    def has_stack(self, study_uid: str) -> bool:
        """Say whether anything of a study was looked at."""
        return any(stack.study_uid == study_uid for stack in self.node.stacks())

    def wait(self, holds: Callable[[], bool], timeout_s: float, what: str, *, every_s: float = 0.02) -> None:
        """Wait until something holds, looked at so often; raises TimeoutError with the end of the node's log."""
        deadline = time.monotonic() + timeout_s
        while not holds():
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited {timeout_s:g} s for {what}; {self._where()}\n{self.node.log()[-6000:]}")
            time.sleep(every_s)

    def _where(self) -> str:
        """Say where everything is that has no end, and begin the end of the log."""
        status = read_status(self.node.catalog)
        counts = f"{status.instances} instances, {status.pending_series} series pending, {dict(status.stacks)}"
        with self.node.catalog.read() as session:
            rows = [row for row in session.scalars(select(Delivery)).all() if (row.peer, row.state) not in _ENDS]
        waiting = [f"{row.peer} {row.state} attempt {row.attempt} asked {row.asked} {row.reason}" for row in rows]
        return f"{counts}; deliveries: {waiting}; the log ends:"


def _write_until_full(write: Callable[[bytes], int], block: bytes) -> None:
    while True:
        try:
            if write(block) < len(block):
                return
        except OSError:
            return

"""One site: a node in a process of its own, two peers that can be away, and callers at addresses of their own."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pydicom import FileDataset
from pynetdicom.association import Association
from sqlalchemy import func, or_, select, update

from dicom_node.catalog import (
    UNFINISHED,
    Catalog,
    Delivery,
    DeliveryState,
    Instance,
    OpenAssociation,
    Run,
    Series,
    Stack,
)
from dicom_node.config import load_config
from dicom_node.work.retention import Retention
from tests.deliver.pacs import archive, unused_port
from tests.identity.cells import Cell, Who
from tests.receive.node import associated
from tests.work.moving_pacs import MovingPacs

_ROOT = Path(__file__).parents[2]
_ENDED = (
    *(DeliveryState.COMMITTED, DeliveryState.STOPPED, DeliveryState.MOVED, DeliveryState.WITHDRAWN),
    *(DeliveryState.MISFILED, DeliveryState.FAILED),
)
_DAY_S = 24 * 3600.0
CONFIG = """
[node]
ae_title = "NODE"
port = 0
receivers = 1
commits = true
[storage]
max_study_age_days = 100000
min_free_gb = 0
ready_mb = 8
series_quiet_s = 0.001
regeneration_s = 0.001
keep_days = 1
[callers.scanner]
ae_title = "SCANNER"
addresses = "127.0.0.2"
[callers.manager]
ae_title = "MANAGER"
addresses = "127.0.0.3"
corrects = true
[callers.workstation]
ae_title = "WORKSTATION"
addresses = "127.0.0.4"
[peers.main]
ae_title = "MAIN"
host = "127.0.0.1"
port = {main}
commitment = "required"
retry_s = 0.2
retry_max_s = 0.5
[peers.other]
ae_title = "OTHER"
host = "127.0.0.1"
port = {other}
commitment = "c-find"
retry_s = 0.2
retry_max_s = 0.5
[pipelines.organ]
outputs = ["SEG"]
[[routes]]
name = "organ"
run = ["organ"]
send_to = ["main", "other"]
when = {{ Modality = "CT" }}
"""
SCANNER, MANAGER, WORKSTATION = ("SCANNER", "127.0.0.2"), ("MANAGER", "127.0.0.3"), ("WORKSTATION", "127.0.0.4")
STRANGER = ("SCANNER", "127.0.0.9")  # a caller's AE title from an address that is not the caller's
SECOND = {
    Who.SAME_CALLER: SCANNER,
    Who.CORRECTOR: MANAGER,
    Who.NAMED: WORKSTATION,
    Who.STRANGER: STRANGER,
    Who.STRANGER_FIRST: SCANNER,
}


def first_sender(cell: Cell) -> tuple[str, str]:
    """Return AE title and address of who sends a cell's first version."""
    return STRANGER if cell.who == Who.STRANGER_FIRST else SCANNER


class Site:
    """`with Site(folder) as site`: the node listens, and both peers do."""

    def __init__(self, folder: Path) -> None:
        self.peers = {"main": MovingPacs(commits="same association"), "other": MovingPacs()}
        for peer in self.peers.values():
            peer.port = unused_port()
        (folder / "config.toml").write_text(CONFIG.format(**{name: peer.port for name, peer in self.peers.items()}))
        self.folder = folder
        self.config = load_config(folder / "config.toml")
        self.config.storage_folder.mkdir()
        self.catalog = Catalog(self.config.catalog_url)
        self.port = 0
        self._process: subprocess.Popen[str] | None = None
        self._listening: dict[str, ExitStack] = {}

    def __enter__(self) -> Self:
        for name in self.peers:
            self.bring_back(name)
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        self.catalog.close()
        for name in list(self._listening):
            self.take_away(name)

    def start(self) -> None:
        """Start the node, and wait until it listens."""
        command = [sys.executable, "-m", "tests.identity.node_process", str(self.folder)]
        with (self.folder / "node.log").open("a") as log:
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, cwd=_ROOT)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline() or self._fail("the node has not started"))
        for peer in self.peers.values():
            peer.reports_to = lambda: self.port

    def kill(self) -> None:
        """Kill -9 the node."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()

    def lose_catalog(self) -> None:
        """Remove every row; what lies on disk stays."""
        self.catalog.close()
        for path in self.config.storage_folder.glob("catalog.sqlite*"):
            path.unlink()

    def take_away(self, name: str) -> None:
        """Let a peer no longer be reached."""
        self._listening.pop(name).close()

    def bring_back(self, name: str) -> None:
        """Let a peer listen again where it did."""
        listening = ExitStack()
        peer = self.peers[name]
        listening.enter_context(archive(peer, port=peer.port, title=name.upper()))
        self._listening[name] = listening

    @contextmanager
    def sending(self, sender: tuple[str, str], images: Sequence[FileDataset]) -> Iterator[None]:
        """Send images over one association, all acknowledged, that stays open for the block."""
        contexts = {(str(one.SOPClassUID), str(one.file_meta.TransferSyntaxUID)) for one in images}
        with self._association(sender, contexts) as association:
            for image in images:
                assert association.send_c_store(image).Status == 0x0000
            yield

    def send(self, sender: tuple[str, str], images: Sequence[FileDataset]) -> None:
        """Send images over one association."""
        with self.sending(sender, images):
            pass

    def _association(
        self, sender: tuple[str, str], contexts: Iterable[tuple[str, str]]
    ) -> AbstractContextManager[Association]:
        return associated(self.port, contexts, sender[0], address=sender[1])

    def remove(self, study_uids: Iterable[str]) -> int:
        """Let studies be older than they are kept for, and retention do its work; returns how many series it took."""
        with self.catalog.write() as session:
            old = update(Series).where(Series.study_uid.in_(list(study_uids)))
            session.execute(old.values(last_at=time.time() - 2 * _DAY_S))
        retention, removed = Retention(self.config, self.catalog), 0
        while taken := retention.tidy():
            removed += taken
        return removed

    def rows(self, table: Any) -> list[Any]:
        """Return every row of a table."""
        with self.catalog.read() as session:
            return list(session.scalars(select(table)).all())

    def delivered(self, peer: str) -> Mapping[str, DeliveryState]:
        """Return where each result is on its way to a peer, by its UID."""
        return {row.result_uid: row.state for row in self.rows(Delivery) if row.peer == peer}

    def is_registered(self) -> bool:
        """Say whether all that came has its row."""
        folder = self.config.storage_folder
        kept = {path.relative_to(folder).as_posix() for path in folder.glob("storage/*/*/*.dcm")}
        waiting = [path for name in ("incoming", "comparing") for path in folder.glob(f"{name}/*")]
        return not waiting and kept <= {row.path for row in self.rows(Instance)}

    def is_split(self) -> bool:
        """Say whether all that came has been split and judged, and has run."""
        if not self.is_registered():
            return False
        open_series = or_(Series.arrived + Series.gone > Series.settled, Series.split < Series.generation)
        begun = [state for state in UNFINISHED if state != "delivering"]
        with self.catalog.read() as session:
            counts = [
                session.scalar(select(func.count()).select_from(OpenAssociation)),
                session.scalar(select(func.count()).select_from(Series).where(open_series)),
                session.scalar(select(func.count()).select_from(Stack).where(Stack.state.in_(begun))),
            ]
            return not any(counts)

    def is_settled(self) -> bool:
        """Say whether nothing is on its way any more."""
        outdated = (
            select(func.count())
            .select_from(Run)
            .join(Stack, Run.stack_id == Stack.id)
            .join(Series, (Stack.study_uid == Series.study_uid) & (Stack.series_uid == Series.uid))
            .where(Run.headers < Series.headers, Stack.corrected.is_(False))
        )
        under_way = select(func.count()).select_from(Delivery).where(Delivery.state.not_in(_ENDED))
        with self.catalog.read() as session:
            return self.is_split() and not session.scalar(under_way) and not session.scalar(outdated)

    def wait(self, holds: Callable[[], object], what: str, within_s: float) -> None:
        """Wait until something holds; raises AssertionError with the end of the node's log."""
        deadline = time.monotonic() + within_s
        while not holds():
            assert self._process is not None
            if time.monotonic() > deadline or self._process.poll() is not None:
                self._fail(f"waited {within_s:g} s for {what}")
            time.sleep(0.05)

    def _fail(self, problem: str) -> str:
        raise AssertionError(f"{problem}; the log ends:\n{(self.folder / 'node.log').read_text()[-4000:]}")

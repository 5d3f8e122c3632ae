from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.postgres import Postgres

Run = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Run]:
    running: list[subprocess.Popen[bytes]] = []

    def start(
        executor: str, command: str, url: str = f"sqlite:///{tmp_path / 'work.sqlite'}"
    ) -> subprocess.Popen[bytes]:
        words = [sys.executable, "-m", "tests.work.engine_process", url, executor, str(tmp_path), command]
        running.append(subprocess.Popen(words, cwd=Path(__file__).parents[2]))
        return running[-1]

    yield start
    (tmp_path / "stop").touch()
    for process in running:
        process.wait(30)


def wait_for(*paths: Path) -> None:
    deadline = time.monotonic() + 60
    while not all(path.exists() for path in paths):
        assert time.monotonic() < deadline, [path.name for path in paths if not path.exists()]
        time.sleep(0.05)


def test_jobs_run_once_each_and_one_that_raises_is_told(engine: Run, tmp_path: Path) -> None:
    engine("a", "enqueue")
    wait_for(tmp_path / "job1-second-a", tmp_path / "job2-second-a", tmp_path / "failed")
    assert (tmp_path / "failed").read_text().startswith("breaks ['on purpose'] ValueError: on purpose (work/")


def test_a_killed_process_goes_on_after_its_last_step_when_it_comes_back(engine: Run, tmp_path: Path) -> None:
    (tmp_path / "stall").touch()
    first = engine("a", "enqueue")
    wait_for(tmp_path / "job2-waits")
    first.kill()
    first.wait()
    (tmp_path / "job2-first-a").unlink()
    (tmp_path / "stall").unlink()
    engine("a", "work")
    wait_for(tmp_path / "job1-second-a", tmp_path / "job2-second-a")
    assert not (tmp_path / "job2-first-a").exists()


def test_another_process_takes_over_what_one_killed_for_good_had_begun(engine: Run, tmp_path: Path) -> None:
    (tmp_path / "stall").touch()
    first = engine("a", "enqueue")
    wait_for(tmp_path / "job2-waits")
    first.kill()
    first.wait()
    (tmp_path / "stall").unlink()
    engine("b", "take-over:a")
    wait_for(tmp_path / "job1-second-b", tmp_path / "job2-second-b")
    assert (tmp_path / "moved").read_text() == "1"


def test_two_processes_together_run_no_more_jobs_of_a_peer_than_it_takes(
    engine: Run, postgres: Postgres, tmp_path: Path
) -> None:
    (tmp_path / "stall").touch()
    url = postgres.url("work")  # several work processes are allowed there only
    engine("a", "work", url)
    engine("b", "enqueue for a peer", url)
    wait_for(tmp_path / "job1-waits")
    time.sleep(2)  # both look for jobs ten times a second
    assert not (tmp_path / "job2-waits").exists()
    (tmp_path / "stall").unlink()
    wait_for(tmp_path / "job2-waits")


def test_a_job_waits_while_the_disk_is_full(engine: Run, tmp_path: Path) -> None:
    (tmp_path / "full").touch()
    engine("a", "write")
    wait_for(tmp_path / "full-reached")
    (tmp_path / "full").unlink()
    wait_for(tmp_path / "written")
    assert not (tmp_path / "failed").exists()

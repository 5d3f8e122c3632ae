"""One engine in a process of its own: `python -m tests.work.engine_process URL EXECUTOR FOLDER COMMAND`.

The job "steps" writes a file for each of its steps; while FOLDER/stall is there its second step waits.
"""

from __future__ import annotations

import errno
import os
import sys
import time
from pathlib import Path

from dicom_node.work.durable import Durable, Step

url, executor, place, command = sys.argv[1:]
folder = Path(place)


def _first(name: str) -> str:
    (folder / f"{name}-first-{executor}").touch()
    return name


def _second(name: str) -> None:
    (folder / f"{name}-waits").touch()
    while (folder / "stall").exists():
        time.sleep(0.05)
    (folder / f"{name}-second-{executor}").touch()


def steps(step: Step, *args: str) -> None:
    """Do both steps for (name,)."""
    name = step("first", _first, *args)
    step("second", _second, name)


def breaks(_step: Step, *args: str) -> None:
    """Fail with (text,)."""
    raise ValueError(*args)


def _waits_for_room(marker: str) -> None:
    (folder / "full-reached").touch()
    if (folder / "full").exists():
        raise OSError(errno.ENOSPC, "on purpose")
    (folder / marker).touch()


def writes(step: Step, *args: str) -> None:
    """Write (file,), and fail for want of room while FOLDER/full is there."""
    step("write", _waits_for_room, *args)


def failed(kind: str, args: list[str], error: str) -> None:
    """Write the end of a job that raised."""
    (folder / "failed").write_text(f"{kind} {args} {error}")


def main() -> None:
    """Take jobs until FOLDER/stop is there."""
    durable = Durable(url, executor, {"steps": steps, "breaks": breaks, "writes": writes}, failed)
    durable.launch({"work": 1}, 0.1, {"peer": 1})
    if command == "enqueue":
        for number in (1, 1, 2):
            durable.enqueue(f"steps:{number}", "work", "steps", [f"job{number}"], 3 - number)
        durable.enqueue("breaks", "work", "breaks", ["on purpose"], 1)
    if command == "enqueue for a peer":
        for number in (1, 2):
            durable.enqueue(f"steps:{number}", "peer", "steps", [f"job{number}"], number)
    if command == "write":
        durable.enqueue("writes", "work", "writes", ["written"], 1)
    if command.startswith("take-over:"):
        (folder / "moved").write_text(str(durable.take_over(command.removeprefix("take-over:"))))
    while not (folder / "stop").exists():
        time.sleep(0.05)
    os._exit(0)


if __name__ == "__main__":
    main()

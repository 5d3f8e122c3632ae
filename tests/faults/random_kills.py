"""Kills at random moments, by hand: `python -m tests.faults.random_kills --runs 20 --seed 1 --database sqlite`.

Each run lets several stories happen at once (stories.py: a series is sent, moved, copied, taken back by a rejection
note, by who may and by who may not), kills one part of the node at a random moment, lets everything end and judges
the catalog, the disk and what Orthanc and the strict archive hold. Runs are added to one file, so that many short
calls make one long test; every call writes the summary anew.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dicom_node.demo.orthanc import Orthanc
from tests.faults.accounts import Account, Accounting
from tests.faults.house import House, Part
from tests.faults.stories import Story, tell
from tests.faults.summary import RUNS, write_summary
from tests.support.postgres import Postgres, postgres_folder

_STORIES = 3  # at once
_LATEST_S = 12.0  # when the last result has usually been delivered
_PAUSE_S = 6.0  # at most, between a series and what is done to it
_QUERIES = {"DicomAlwaysAllowFind": True}  # of Orthanc: anybody may ask where an object is
_SENT_S, _SETTLED_S, _LOOK_S = 120.0, 180.0, 0.25
_PARTS: tuple[Part, ...] = ("receiver", "registrar", "worker", "supervisor", "model")
_FOR_GOOD = "further worker, for good"


def main() -> int:
    """Do the runs that are asked for; 1 where any of them found a fault."""
    asked = _arguments()
    with (
        tempfile.TemporaryDirectory(prefix="faults-") as folder,
        Orthanc(Path(folder) / "orthanc", settings=_QUERIES) as pacs,
    ):
        numbers = list(range(asked.runs))
        ends_at = time.monotonic() + asked.minutes * 60
        while numbers and time.monotonic() < ends_at:
            with _house(Path(folder) / f"house{len(numbers)}", pacs, asked.database) as house:
                while numbers and time.monotonic() < ends_at and _is_well(house, asked, numbers.pop(0)):
                    pass
    write_summary()
    return 1 if any(_faults(line) for line in RUNS.read_text().splitlines()[-asked.runs :]) else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=math.inf, help="begin no run after so many")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    return parser.parse_args()


@contextmanager
def _house(folder: Path, pacs: Orthanc, database: str) -> Iterator[House]:
    folder.mkdir()
    with ExitStack() as stack:
        urls: Mapping[str, str] = {}
        if database == "postgresql":
            programs = postgres_folder()
            assert programs is not None, "PostgreSQL is not installed"
            urls = stack.enter_context(Postgres(programs)).urls
        yield stack.enter_context(House(folder, pacs, urls))


def _is_well(house: House, asked: argparse.Namespace, number: int) -> bool:
    """Do one run and write it down; False where the house is not to be used again."""
    chance = random.Random(f"{asked.seed}.{number}")  # noqa: S311  # no secret
    line: dict[str, Any] = {"at": f"{datetime.now(UTC):%Y-%m-%d %H:%M}", "seed": asked.seed, "run": number}
    line["database"] = asked.database
    try:
        if asked.database == "postgresql" and not house.has_further_worker:
            house.start_further_worker()
        house.wait_until_whole()
        line |= _run(house, chance, may_end_further=asked.database == "postgresql")
    except (TimeoutError, AssertionError) as error:
        line["problem"] = str(error)[:2000]
    RUNS.parent.mkdir(exist_ok=True)
    with RUNS.open("a") as file:
        file.write(f"{json.dumps(line)}\n")
    sys.stdout.write(f"{json.dumps(line)}\n")
    sys.stdout.flush()
    return "problem" not in line and not line["faults"]


def _run(house: House, chance: random.Random, *, may_end_further: bool) -> dict[str, Any]:
    stories = [tell(chance) for _ in range(_STORIES)]
    tellers = [threading.Thread(target=_send, args=(house, one, chance.uniform(0, _PAUSE_S))) for one in stories]
    for teller in tellers:
        teller.start()
    killed = _kill(house, chance, may_end_further=may_end_further)
    for teller in tellers:
        teller.join()
    with suppress(TimeoutError):  # what is still wrong then is in the accounts
        house.wait(lambda: house.has_ended() and _is_sound(house, stories), _SETTLED_S, "the ends", every_s=1.0)
    return {**killed, **_total([Accounting(house, story).account(len(story.versions)) for story in stories])}


def _is_sound(house: House, stories: Sequence[Story]) -> bool:
    return not any(Accounting(house, story).account(0).faults for story in stories)


def _send(house: House, story: Story, pause_s: float) -> None:
    """Send the parts of a story one after the other, each until all of it is acknowledged."""
    first, *rest = story.modalities(house.port)
    first.send_all(_SENT_S)
    for modality in rest:
        if story.waits:
            house.wait(lambda: house.has_stack_of(first.images), _SENT_S, "the first stack", every_s=_LOOK_S)
        else:
            time.sleep(pause_s)
        modality.send_all(_SENT_S)


def _kill(house: House, chance: random.Random, *, may_end_further: bool) -> dict[str, Any]:
    after_s = chance.uniform(0, _LATEST_S)
    part = chance.choice([*_PARTS, _FOR_GOOD] if may_end_further else _PARTS)
    time.sleep(after_s)
    states = sorted({str(stack.state) for stack in house.node.stacks()})
    if part == _FOR_GOOD:
        house.end_further_worker()
    elif house.pids(part):  # type: ignore[arg-type]
        house.kill(part)  # type: ignore[arg-type]
    else:
        part = f"{part}, which was not up"
    return {"killed": part, "after_s": round(after_s, 2), "while": states}


def _total(accounts: Sequence[Account]) -> dict[str, Any]:
    counts = [{name: value for name, value in asdict(one).items() if isinstance(value, int)} for one in accounts]
    total = {name: sum(count[name] for count in counts) for name in counts[0]}
    return {
        **total,
        "faults": sum(one.faults for one in accounts),
        "stories": [one.kind for one in accounts],
        "seen": [f"{one.kind}: {said}" for one in accounts for said in one.seen],
    }


def _faults(line: str) -> int:
    run = json.loads(line)
    return 1 if "problem" in run else int(run["faults"])


if __name__ == "__main__":
    sys.exit(main())

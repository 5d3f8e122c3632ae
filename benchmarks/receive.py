"""How fast objects are received, against Orthanc and dcmtk's storescp.

`python -m benchmarks.receive [CASE ..] [--rounds N]` prints Markdown. Servers of a case take turns within each round;
figures are medians over the rounds, ratios are medians of the rounds' ratios [smallest to largest]. What was stored is
compared byte for byte with what was sent. Ours is durable: synced to disk before each answer.
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.receiving.busy import busy_model
from benchmarks.receiving.corpus import KINDS, Kind
from benchmarks.receiving.million import fill
from benchmarks.receiving.sender import Batch, Sent, associate, send
from benchmarks.receiving.servers import (
    BitPreservingStoreSCP,
    NullSink,
    OrthancServer,
    Ours,
    RawDiscard,
    Server,
    StockOrthanc,
    StockStoreSCP,
    StoreSCP,
    Unprepared,
    program_of_dcmtk,
)

Sender = Callable[[Server, int], Sent]

_FORGET_S = 61
"""ext4 without a journal searches past each inode deleted in the last minute whenever a file is made."""


@dataclass(frozen=True)
class Turn:
    """One server's part in one round."""

    rate: float  # objects per second
    settled_rate: float  # the same, until the server has dealt with them behind the answers too
    cpu_ms: float  # of the server, per object, until it rests
    p99_ms: float  # of the answers; 0 where the sender does not say


def compare(kind: Kind, count: int, servers: Sequence[type[Server]], rounds: int, sender: Sender) -> None:
    """Let servers take turns and print their table; what each was sent first of all, as a warm-up, is not counted."""
    turns: dict[str, list[Turn]] = {server.name: [] for server in servers}
    identical: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as place, ExitStack() as stack:
        running = [stack.enter_context(server(Path(place) / str(at))) for at, server in enumerate(servers)]
        for turn in range(1, rounds + 2):
            for server in running if turn % 2 else reversed(running):
                seen = _turn(server, turn, count, sender)
                if turn > 1:
                    turns[server.name].append(seen)
        for server in running:
            identical[server.name] = _compared(server, kind, count, rounds + 1)
        peaks = {server.name: server.peak_mb() for server in running}
    print("\n| server | images/s | until registered | CPU ms/image | p99 ms | peak MB | identical |")
    print("|---|---|---|---|---|---|---|")
    for name, seen in turns.items():
        rate, settled, cpu, p99 = (
            statistics.median(getattr(turn, what) for turn in seen)
            for what in ("rate", "settled_rate", "cpu_ms", "p99_ms")
        )
        figures = f"{rate:.0f} | {settled:.0f} | {cpu:.2f} | {p99:.1f} | {peaks[name]:.0f} | {identical[name]}"
        print(f"| {name} | {figures} |")
    first, *others = turns
    for other in others:
        print(f"\n{first} / {other}: {_ratio(turns[first], turns[other])}")


def _turn(server: Server, turn: int, count: int, sender: Sender) -> Turn:
    cpu, started = server.cpu_s(), time.perf_counter()
    sent = sender(server, turn)
    if sent.refused:
        raise RuntimeError(f"{server.name} refused {sent.refused} of {count}")
    server.settle(turn * count)
    settled_s = max(sent.seconds, time.perf_counter() - started) if isinstance(server, Ours) else sent.seconds
    server.rest()
    p99 = statistics.quantiles(sent.answer_s, n=100)[98] * 1e3 if len(sent.answer_s) > 1 else 0.0
    return Turn(count / sent.seconds, count / settled_s, (server.cpu_s() - cpu) / count * 1e3, p99)


def _compared(server: Server, kind: Kind, count: int, rounds: int) -> str:
    if isinstance(server, NullSink | RawDiscard):
        return "-"
    stored = dict(server.digests())
    expected = {uid: digest for turn in range(1, rounds + 1) for uid, digest in kind.digests(turn, count).items()}
    same = sum(stored.get(uid) == digest for uid, digest in expected.items())
    return f"{same} of {len(expected)}"


def _ratio(ours: Sequence[Turn], theirs: Sequence[Turn]) -> str:
    ratios = sorted(one.rate / other.rate for one, other in zip(ours, theirs, strict=True))
    return f"{statistics.median(ratios):.2f}x [{ratios[0]:.2f} to {ratios[-1]:.2f}]"


def fast(kind: Kind, count: int, associations: int) -> Sender:
    """Return the benchmark's own sender."""
    return lambda server, turn: send(Batch(kind, turn, count), server.ae_title, server.port, associations)


def stock(kind: Kind, count: int, folder: Path) -> Sender:
    """Return dcmtk's storescu with its defaults, sending a folder's files."""
    program = program_of_dcmtk("storescu")

    def run(server: Server, turn: int) -> Sent:
        place = folder / str(turn)
        if not place.exists():
            place.mkdir()
            kind.write_files(place, turn, count)
        command = [program, "-aec", server.ae_title, "127.0.0.1", str(server.port), "+sd", str(place)]
        started = time.perf_counter()
        subprocess.run(command, check=True)
        return Sent(time.perf_counter() - started, (), 0)

    return run


def with_fast_sender(name: str, associations: int, rounds: int) -> None:
    """One kind over one or several associations, against both peers, tuned."""
    kind = KINDS[name]
    servers = (Ours, Unprepared, OrthancServer, StoreSCP, BitPreservingStoreSCP)
    compare(kind, kind.count, servers, rounds, fast(kind, kind.count, associations))


def with_stock_sender(name: str, count: int, rounds: int) -> None:
    """Stock storescu of dcmtk, to peers as they come."""
    with tempfile.TemporaryDirectory() as place:
        sender = stock(KINDS[name], count, Path(place))
        compare(KINDS[name], count, (Ours, StockOrthanc, StockStoreSCP), rounds, sender)


def with_null_sink(rounds: int) -> None:
    """The protocol alone: no disk, against a server that looks at nothing."""
    kind = KINDS["CT"]
    compare(kind, kind.count, (NullSink, RawDiscard), rounds, fast(kind, kind.count, 1))


class Million(Ours):
    """Ours, with a catalogue of a million instances."""

    name = "dicom-node, 1,000,000 instances"

    def prepare(self) -> None:
        """Fill the catalogue."""
        fill(self.catalog)


def with_a_million(rounds: int) -> None:
    """A full catalogue instead of an empty one."""
    for name in ("MR", "CT"):
        kind = KINDS[name]
        print(f"\n{name}")
        compare(kind, kind.count, (Million, Ours), rounds, fast(kind, kind.count, 1))


def with_a_model(rounds: int) -> None:
    """A model that keeps all processors but one busy at lower priority, in every second run."""
    kind = KINDS["CT"]
    quiet, busy = [], []
    with tempfile.TemporaryDirectory() as place, Ours(Path(place) / "ours") as server:
        for turn in range(1, 2 * rounds + 1, 2):
            sender = fast(kind, kind.count, 1)
            quiet.append(_turn(server, turn, kind.count, sender))
            with busy_model():
                busy.append(_turn(server, turn + 1, kind.count, sender))
    print(f"\nquiet {statistics.median(turn.rate for turn in quiet):.0f} images/s, ", end="")
    print(f"with a model {statistics.median(turn.rate for turn in busy):.0f}: {_ratio(busy, quiet)} of quiet")
    print(f"p99 of answers with a model {statistics.median(turn.p99_ms for turn in busy):.1f} ms")


def idle(_rounds: int) -> None:
    """Fifty associations that send nothing."""
    with tempfile.TemporaryDirectory() as place, Ours(Path(place) / "ours") as server, ExitStack() as stack:
        for _ in range(50):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            associate(connection, KINDS["CT"], server.ae_title)
        time.sleep(2)
        before, started = server.cpu_s(), time.perf_counter()
        time.sleep(20)
        share = (server.cpu_s() - before) / (time.perf_counter() - started)
        print(f"\n50 idle associations: {share:.2%} of a core, receivers and registrar together")


def memory(_rounds: int) -> None:
    """Eight senders of large images."""
    kind = KINDS["DX"]
    with tempfile.TemporaryDirectory() as place, Ours(Path(place) / "ours") as server:
        send(Batch(kind, 1, 80), server.ae_title, server.port, 8)
        server.settle(80)
        print(f"\n8 senders of 18 MB images: a receiver's peak is {server.peak_mb(server.receiver_pids):.0f} MB")
        print(f"the registrar's {server.peak_mb(server.pids[:1]):.0f} MB")


CASES: Mapping[str, Callable[[int], None]] = {
    **{
        f"{name.lower()}-{associations}": partial(with_fast_sender, name, associations)
        for associations in (1, 4)
        for name in KINDS
    },
    "stock-ct": partial(with_stock_sender, "CT", 100),
    "stock-mr": partial(with_stock_sender, "MR", 200),
    "null": with_null_sink,
    "million": with_a_million,
    "model": with_a_model,
    "idle": idle,
    "memory": memory,
}


def main() -> None:
    """Run the cases that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    for name in arguments.cases or CASES:
        print(f"\n## {name}", flush=True)
        os.sync()
        time.sleep(_FORGET_S)  # what the last case deleted is no matter of this one
        CASES[name](arguments.rounds)


if __name__ == "__main__":
    main()

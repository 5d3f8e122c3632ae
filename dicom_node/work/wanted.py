"""A job that a row of the catalog asks for."""

from __future__ import annotations

from typing import NamedTuple

WORK_QUEUE = "work"
ASK_QUEUE = "ask"
FIRST = 1  # the smallest priority that DBOS takes; results under the wrong patient are looked for before all else


class Wanted(NamedTuple):
    """A job that a row asks for."""

    kind: str
    args: tuple[str, ...]
    attempt: int
    queue: str
    priority: int
    turn: int = 0  # how often a person has sent it round again

    @property
    def subject(self) -> str:
        """What the job is about; two jobs about the same are not to run side by side."""
        return ":".join([self.kind, *self.args, str(self.turn)])

    @property
    def job_id(self) -> str:
        """The same row at the same attempt asks for the same job."""
        return f"{self.subject}:{self.attempt}"


def subject_of(job_id: str) -> str:
    """Return the subject of the job with this id."""
    return job_id.rpartition(":")[0]


def peer_queue(peer: str) -> str:
    """Return the queue of a peer: each has its own, so that none holds another up."""
    return f"deliver-{peer}"

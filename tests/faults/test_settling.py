"""Two work processes on PostgreSQL that end the last deliveries of one stack at the same moment."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from dicom_node.catalog import Catalog, Delivery, Result, Run, Series, Stack, StackState, Study
from dicom_node.config import Peer
from dicom_node.work.ending import settle
from tests.support.postgres import Postgres

PEERS = {name: Peer(ae_title="PACS", host="127.0.0.1", port=1) for name in ("one", "other")}


@pytest.fixture
def catalog(postgres: Postgres) -> Iterator[Catalog]:
    """A stack with one result that two peers still wait for."""
    made = Catalog(postgres.url("catalog"))
    made.migrate()
    rows = [
        Study(uid="1.2", first_at=1.0, last_at=1.0),
        Series(uid="1.2.3", study_uid="1.2", last_at=1.0),
        Stack(
            id="a",
            series_uid="1.2.3",
            study_uid="1.2",
            generation=1,
            number=1,
            state="delivering",
            content={"facts": {}},
            at=1.0,
        ),
        Run(id="b", stack_id="a", pipeline="marker", state="done", at=1.0),
        Result(uid="1.2.4", run_id="b", kind="SR", sop_class_uid="1.2", path="", sha256="", at=1.0),
        *(Delivery(result_uid="1.2.4", peer=name, state="waiting", first_at=1.0, next_at=1.0) for name in PEERS),
    ]
    for row in rows:
        with made.write() as session:
            session.add(row)
    yield made
    made.close()


def _stored_at(catalog: Catalog, peer: str) -> None:
    with catalog.write() as session:
        session.get_one(Delivery, ("1.2.4", peer)).state = "stored"  # type: ignore[assignment]  # as text
        settle(session, session.get_one(Stack, "a"), PEERS)
        time.sleep(0.5)  # so that neither sees what the other has not committed


@pytest.mark.faults
def test_the_later_one_sees_what_the_other_has_done(catalog: Catalog) -> None:
    workers = [threading.Thread(target=_stored_at, args=(catalog, peer)) for peer in PEERS]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    with catalog.read() as session:
        assert session.get_one(Stack, "a").state == StackState.DELIVERED

"""A catalogue of a million instances, by bulk insert."""

from __future__ import annotations

import time

from sqlalchemy import insert

from dicom_node.catalog import Catalog, Instance, Series, Study

_STUDIES, _SERIES, _INSTANCES = 1000, 5, 200  # series of a study, instances of a series


def fill(catalog: Catalog) -> None:
    """Insert a thousand studies of five series of two hundred instances."""
    now = time.time()
    for study in range(_STUDIES):
        study_uid = f"1.2.826.0.1.3680043.8.498.77.9.{study}"
        series = [f"{study_uid}.{number}" for number in range(_SERIES)]
        with catalog.write() as session:
            session.execute(insert(Study), [{"uid": study_uid, "first_at": now, "last_at": now}])
            session.execute(insert(Series), [_series(uid, study_uid, now) for uid in series])
            session.execute(
                insert(Instance), [_instance(uid, study_uid, number) for uid in series for number in range(_INSTANCES)]
            )


def _series(uid: str, study_uid: str, now: float) -> dict[str, str | float]:
    settled = {"arrived": _INSTANCES, "settled": _INSTANCES, "generation": 1, "split": 1}
    return {"uid": uid, "study_uid": study_uid, "last_at": now, **settled}


def _instance(series_uid: str, study_uid: str, number: int) -> dict[str, str | float]:
    uid = f"{series_uid}.{number}"
    return {
        "uid": uid,
        "series_uid": series_uid,
        "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2",
        "transfer_syntax_uid": "1.2.840.10008.1.2.1",
        "path": f"storage/{study_uid}/{series_uid}/{uid}.dcm",
        "size": 526000,
        "sha256": f"{number:064x}",
        "caller": "BENCHMARK",
        "at": 1.0,
    }

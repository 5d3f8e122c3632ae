"""`dicom-node conflicts`: versions of SOP Instances that wait for a person, and how one settles them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydicom import dcmread
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from dicom_node.catalog import Catalog, Delivery, DeliveryState, Event, Instance, VersionState
from dicom_node.config import Config
from dicom_node.errors import DicomNodeError
from dicom_node.receive.deciding import leave_decision
from dicom_node.receive.rows import find_versions
from dicom_node.receive.versions import say_state

_KEEP_ONE = (
    "`dicom-node conflicts keep VERSION` makes one version of an image current: keep the one that the PACS shows.\n"
    "What was made of another version is taken back; the node deletes no version."
)
_LOOK_THERE = (
    "Look for each result at its peer, and delete it there where it stands under the wrong patient or study.\n"
    "Then say so: `dicom-node conflicts settle RESULT`. The node sends nothing more about it."
)
_ID = 12  # digits of a version's hash that its file's name has


class UnknownVersionError(DicomNodeError):
    """No version has the id that was asked for, or more than one begins with it."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """One SOP Instance of which a version is held: all its versions, the oldest first."""

    sop_instance_uid: str
    versions: Sequence[Instance]
    evidence: Mapping[str, str]  # by the version's hash: what its header says about having been modified


def find_conflicts(config: Config, catalog: Catalog) -> list[Conflict]:
    """Return every SOP Instance of which a version waits for a person."""
    with catalog.read() as session:
        held = select(Instance.uid).where(Instance.state == VersionState.HELD)
        query = select(Instance).where(Instance.uid.in_(held)).order_by(Instance.uid, Instance.at)
        versions = session.scalars(query).all()
    by_uid: dict[str, list[Instance]] = {}
    for one in versions:
        by_uid.setdefault(one.uid, []).append(one)
    return [
        Conflict(uid, theirs, {version.sha256: _evidence(config.storage_folder, version) for version in theirs})
        for uid, theirs in by_uid.items()
    ]


def keep(config: Config, catalog: Catalog, version_id: str) -> str:
    """Let a version count, and no other of its SOP Instance; the registrar acts. Returns what is to be said.

    Raises:
        UnknownVersionError: no version, or several, begin with `version_id`, or its file was removed.
    """
    found = find_versions(catalog, version_id)
    if len(found) != 1:
        how_many = "no version begins" if not found else "more than one version begins"
        raise UnknownVersionError(
            f"{how_many} with {version_id!r}; `dicom-node conflicts` lists what waits for a person"
        )
    version = found[0]
    if version.is_removed:
        raise UnknownVersionError(f"version {version.id} of {version.uid} was removed for age or space")
    leave_decision(config.storage_folder, version.sha256)
    when = "the node makes it current at once, or when it starts"
    return f"version {version.id} of SOP Instance {version.uid} is to be kept: {when}"


def find_misfiled(catalog: Catalog) -> Sequence[Delivery]:
    """Return the results that stand, or may stand, at a peer where their images no longer are."""
    with catalog.read() as session:
        query = select(Delivery).where(Delivery.state == DeliveryState.MISFILED)
        return session.scalars(query.order_by(Delivery.result_uid, Delivery.peer)).all()


def settle(catalog: Catalog, result_uid: str) -> str:
    """Take a person's word that a misfiled result was dealt with at its peers. Returns what is to be said.

    Raises:
        UnknownVersionError: no misfiled result has this UID.
    """
    with catalog.write() as session:
        query = select(Delivery).where(Delivery.result_uid == result_uid, Delivery.state == DeliveryState.MISFILED)
        misfiled = session.scalars(query).all()
        if not misfiled:
            said = f"no result {result_uid!r} waits for a person; `dicom-node conflicts` lists those that do"
            raise UnknownVersionError(said)
        for one in misfiled:
            one.state, one.reason = DeliveryState.WITHDRAWN, f"a person has settled it: {one.reason}"
            session.add(Event(at=time.time(), subject=result_uid, text=f"{one.peer}: a person has settled it"))
        return f"result {result_uid} is settled at {', '.join(delivery.peer for delivery in misfiled)}"


def render_misfiled(misfiled: Sequence[Delivery]) -> RenderableType:
    """Return a table of results that a person has to look for at a peer."""
    if not misfiled:
        return "no result waits for a person"
    table = Table(
        "peer", "result", "why", title="results that may stand under a patient or study that their images have left"
    )
    for one in misfiled:
        table.add_row(escape(one.peer), one.result_uid, escape(one.reason))
    return Group(table, _LOOK_THERE)


def count_versions(session: Session) -> Mapping[str, int]:
    """Return how many versions are held, superseded or rejected, by state."""
    counted = Instance.state != VersionState.CURRENT, Instance.removed_at == 0
    query = select(Instance.state, func.count()).where(*counted).group_by(Instance.state)
    return {str(state): count for state, count in session.execute(query).all()}


def say_versions(counts: Mapping[str, int]) -> str:
    """Return one line that counts what does not count, "" where there is nothing."""
    said = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
    waits = "; `dicom-node conflicts` shows what is held" if counts.get(VersionState.HELD) else ""
    return f"versions that are not current: {said}{waits}" if said else ""


def versions_of(catalog: Catalog, study_uid: str, series_uid: str) -> Iterator[str]:
    """Yield a line for each version of a series that is not current."""
    query = select(Instance).where(
        Instance.study_uid == study_uid,
        Instance.series_uid == series_uid,
        Instance.state != VersionState.CURRENT,
        Instance.removed_at == 0,
    )
    with catalog.read() as session:
        for one in session.scalars(query.order_by(Instance.at, Instance.uid)).all():
            yield f"version {one.sha256[:_ID]} of {one.uid} is {say_state(one.state, one.reason)}"


def as_values(conflicts: Sequence[Conflict], misfiled: Sequence[Delivery]) -> dict[str, Any]:
    """Return what one JSON document says of all conflicts."""
    sender = "caller", "address", "certificate"
    keys = "sha256", "study_uid", "series_uid", "state", *sender, "reason", "correction", "removed_at"
    return {
        "misfiled": [{"peer": one.peer, "result": one.result_uid, "reason": one.reason} for one in misfiled],
        "conflicts": [
            {
                "sop_instance_uid": conflict.sop_instance_uid,
                "versions": [
                    {
                        **{key: getattr(one, key) for key in keys},
                        "at": f"{datetime.fromtimestamp(one.at, UTC):%Y-%m-%dT%H:%M:%SZ}",
                        "header_says": conflict.evidence[one.sha256],
                    }
                    for one in conflict.versions
                ],
            }
            for conflict in conflicts
        ],
    }


def render_conflicts(conflicts: Sequence[Conflict]) -> RenderableType:
    """Return a table of all versions of each SOP Instance that waits for a person."""
    if not conflicts:
        return "no version waits for a person"
    table = Table("version", "SOP Instance", "study", "state", "came from", "at", "why", "header says")
    for conflict in conflicts:
        for one in conflict.versions:
            at = f"{datetime.fromtimestamp(one.at, UTC):%Y-%m-%d %H:%M:%S}Z"
            sender = f"{one.caller or '?'} at {one.address or '?'}"
            sender += f", certificate {one.certificate[:_ID]}" if one.certificate else ""
            state = f"{one.state}, removed" if one.removed_at else str(one.state)
            row = (one.sha256[:_ID], f"…{one.uid[-12:]}", f"…{one.study_uid[-12:]}", state, sender, at)
            table.add_row(*map(escape, (*row, one.reason, conflict.evidence[one.sha256])))
    return Group(table, _KEEP_ONE)


def _evidence(folder: Path, version: Instance) -> str:
    """Return what the Original Attributes Sequence says (PS3.3 C.12.1.1.9): evidence of a correction, never a proof."""
    if version.removed_at:
        return ""
    try:
        items = dcmread(
            folder / version.path, stop_before_pixels=True, specific_tags=["OriginalAttributesSequence"]
        ).get("OriginalAttributesSequence")
        keywords = "ReasonForTheAttributeModification", "ModifyingSystem", "AttributeModificationDateTime"
        return "; ".join(" ".join(str(item.get(keyword, "") or "") for keyword in keywords) for item in items or ())
    except Exception as error:  # noqa: BLE001 - pydicom raises a dozen kinds on broken bytes
        return f"cannot be read ({type(error).__name__})"

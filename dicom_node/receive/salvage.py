"""The row of an acknowledged object whose file can no longer be read, made of its path and File Meta Information."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from dicom_node.encoding import UnreadableError
from dicom_node.encoding.meta import Meta, read_meta
from dicom_node.receive.file_head import read_sender
from dicom_node.receive.header import Header, Identity
from dicom_node.receive.shelf import Found, Shelf
from dicom_node.uids import derived_uid, is_uid

_HEAD = 16 << 10  # bytes, in which the File Meta Information lies
_NO_META = Meta("", "", "", "", 0)


def salvage(shelf: Shelf, path: Path, problem: str) -> Found:
    """Return a file that cannot be read, under UIDs that its place says, or else that are made of its bytes.

    Raises:
        OSError: the disk would not let us.
    """
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
        meta = _meta(file.read(_HEAD))
    study_uid, series_uid, uid = (derived_uid("unreadable", level, sha256) for level in ("study", "series", "instance"))
    uid = meta.sop_instance_uid if is_uid(meta.sop_instance_uid) else uid
    identity = Identity("", uid, study_uid, series_uid)
    if path.parent.parent.parent == shelf.storage:
        identity = _identity_of(path, identity)
    address, certificate = read_sender(meta.address)
    header = Header(
        identity=identity,
        transfer_syntax_uid=meta.transfer_syntax_uid[:64],
        patient="",
        caller=meta.caller[:16],
        address=address,
        certificate=certificate,
        data_set_at=0,
    )
    status = path.stat()
    return Found(path, header, status.st_size, sha256, status.st_mtime, problem)


def _meta(head: bytes) -> Meta:
    try:
        return read_meta(head)
    except UnreadableError:
        return _NO_META


def _identity_of(path: Path, unknown: Identity) -> Identity:
    """Return what the place of a file says that had been read when it was put there."""
    uid = path.name.rpartition("-")[0]
    return replace(
        unknown,
        study_uid=path.parent.parent.name,
        series_uid=path.parent.name,
        sop_instance_uid=uid if is_uid(uid) else unknown.sop_instance_uid,
    )

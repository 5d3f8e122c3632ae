"""Stacks that show what is known already: our own results that came back, and copies under new UIDs."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from dicom_node.catalog import Result, Stack
from dicom_node.images import Stack as Content


def recognised(session: Session, content: Content, shows: str) -> Content:
    """Return a stack with what its pixels and geometry (their digest) tell about it, as facts.

    `ours` where a result of ours shows the same, even if its header no longer says that it is; `copy_of` with the id of
    the first stack that does.
    """
    if not shows:
        return content
    if session.scalars(select(Result.uid).where(Result.shows == shows).limit(1)).first() is not None:
        return content.with_facts(ours="true")
    twin = session.scalars(select(Stack.id).where(Stack.shows == shows).order_by(Stack.at).limit(1)).first()
    return content if twin is None else content.with_facts(copy_of=twin)

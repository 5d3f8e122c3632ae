"""Stacks that show what is known already: our own results that came back, and copies under new UIDs."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from dicom_node.catalog import Result, Stack
from dicom_node.images import Stack as Content


def recognised(session: Session, content: Content, shows: str, patient: str) -> Content:
    """Return a stack with what its pixels and geometry (their digest) tell about it, as facts.

    `ours` where a result of ours shows the same, even if its header no longer says that it is; `copy_of` with the id of
    the first stack of the same patient (a digest, "" where not known) and study that does; `same_pixels_as` with the
    study of one that is another patient's or study's: a study that was corrected comes under new UIDs like that.
    """
    if not shows:
        return content
    if session.scalars(select(Result.uid).where(Result.shows == shows).limit(1)).first() is not None:
        return content.with_facts(ours="true")
    query = select(Stack.id, Stack.study_uid, Stack.patient).where(Stack.shows == shows, Stack.corrected.is_(False))
    twins = session.execute(query.order_by(Stack.at)).all()
    for twin in twins:
        if twin.study_uid == content.study_uid and (twin.patient == patient or not (twin.patient and patient)):
            return content.with_facts(copy_of=twin.id)
    return content.with_facts(same_pixels_as=twins[0].study_uid) if twins else content

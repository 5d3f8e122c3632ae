"""Radiographs of today that ask for more memory or time than there is as soon as their pixels are decoded."""

from __future__ import annotations

from functools import cache
from random import Random

from pydicom import Dataset

from tests.faults.fuzz.inputs import Input, give_identity, stored_object
from tests.faults.hostile.pixel_bombs import pixel_bombs

KIND = "pixel bomb"


def make(random: Random, called: str) -> Input:
    """Return any pixel bomb, of which no result may be made."""
    dataset = random.choice(_bombs())
    give_identity(dataset, random)
    return Input(KIND, stored_object(dataset, called), str(dataset.SOPInstanceUID), is_impossible=True)


@cache
def _bombs() -> list[Dataset]:
    return [dataset for _, dataset in pixel_bombs()]

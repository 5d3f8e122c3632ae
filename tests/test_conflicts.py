"""`dicom-node conflicts` as a person types it, and what other commands say of versions that do not count."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from dicom_node.catalog import Delivery, DeliveryState, Instance, Result, StackState, VersionState
from tests.deliver.pacs import archive
from tests.support.rejections import rejection_note
from tests.test_cli import here
from tests.work.house import House
from tests.work.moving_pacs import MovingPacs
from tests.work.sending import PACS, SCANNER, STRANGER, arrive, register
from tests.work.test_recalled import delivered, house_with
from tests.work.test_versions import HEADER, MOVED, OTHER_PATIENT, PIXELS, changed, image, states

CURRENT, SUPERSEDED, HELD = VersionState.CURRENT, VersionState.SUPERSEDED, VersionState.HELD


@pytest.fixture
def pacs() -> Iterator[MovingPacs]:
    pacs = MovingPacs()
    with archive(pacs):
        yield pacs


@pytest.fixture
def house(tmp_path: Path, pacs: MovingPacs) -> House:
    """A house where a stranger has sent other pixels under the UID of a delivered image."""
    house, _ = delivered(tmp_path, pacs)
    arrive(house, changed(image(), **PIXELS), sender=STRANGER)
    return house


@pytest.fixture
def misfiled(tmp_path: Path, pacs: MovingPacs) -> tuple[House, str]:
    """A house whose result is no longer found at the peer, after its images were moved."""
    house, result = delivered(tmp_path, pacs)
    del pacs.received[result]
    arrive(house, changed(image(), **MOVED), sender=PACS)
    house.settle()
    return house, result


def command(house: House, *words: str) -> str:
    """Return what a command prints; it must succeed."""
    done = here(house.config.folder / "config.toml", *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def refusal(house: House, *words: str) -> tuple[int, str]:
    done = here(house.config.folder / "config.toml", *words)
    return done.returncode, done.stderr


def held(house: House) -> Instance:
    row: Instance
    (row,) = (row for row in house.rows(Instance) if row.state == HELD)
    return row


def test_where_nothing_waits_both_lists_say_so(tmp_path: Path, pacs: MovingPacs) -> None:
    house = house_with(tmp_path, pacs)
    assert command(house, "conflicts").splitlines() == ["no version waits for a person", "no result waits for a person"]
    empty = {"command": "conflicts", "misfiled": [], "conflicts": []}
    assert json.loads(command(house, "conflicts", "list", "--json")) == empty


def test_the_list_says_who_sent_what_and_what_to_type(house: House) -> None:
    said = command(house, "conflicts")
    for words in (held(house).sha256[:12], "held", "current", "STRANGER at 10.0.0.9", "SCANNER at 10.0.0.1"):
        assert words in said
    assert "`dicom-node conflicts keep VERSION` makes one version of an image current" in said
    (conflict,) = json.loads(command(house, "conflicts", "--json"))["conflicts"]
    found = {one["caller"]: one for one in conflict["versions"]}
    assert conflict["sop_instance_uid"] == "1.2.1.1.1"
    assert (found["STRANGER"]["state"], found["SCANNER"]["state"]) == ("held", "current")
    assert found["STRANGER"]["at"].endswith("Z")
    assert found["STRANGER"]["certificate"] == ""


def test_a_person_keeps_one_version_and_may_think_better_of_it(house: House) -> None:
    wanted = held(house)
    said = command(house, "conflicts", "keep", wanted.sha256[:6])
    assert f"version {wanted.sha256[:12]} of SOP Instance {wanted.uid} is to be kept" in said
    register(house)
    assert states(house) == [SUPERSEDED, CURRENT]
    other = next(row for row in house.rows(Instance) if row.state == SUPERSEDED)
    told = json.loads(command(house, "conflicts", "keep", other.sha256, "--json"))
    assert (told["command"], other.sha256[:12] in told["said"]) == ("conflicts keep", True)
    register(house)
    assert states(house) == [CURRENT, SUPERSEDED]


def test_a_held_rejection_note_counts_once_it_is_kept(tmp_path: Path, pacs: MovingPacs) -> None:
    house, _ = delivered(tmp_path, pacs)
    arrive(house, rejection_note("113037", [image()]), sender=STRANGER)
    assert "a rejection note of STRANGER, who may not correct what it names" in command(house, "conflicts")
    command(house, "conflicts", "keep", held(house).sha256[:12])
    register(house)
    assert sorted(states(house)) == [CURRENT, VersionState.REJECTED]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("keep zz", 1, "no version begins with 'zz'; `dicom-node conflicts` lists what waits for a person"),
        ("keep %", 1, "no version begins with '%'"),
        ("settle 1.2.3", 1, "no result '1.2.3' waits for a person; `dicom-node conflicts` lists those that do"),
        ("kep ab", 2, ""),
        ("keep", 2, ""),
        ("settle", 2, ""),
        ("list ab", 2, ""),
    ],
)
def test_a_wrong_word_is_a_sentence_and_changes_nothing(house: House, words: str, code: int, said: str) -> None:
    returncode, error = refusal(house, "conflicts", *words.split())
    assert (returncode, said in error) == (code, True), error
    assert states(house) == [CURRENT, HELD]
    assert not list(house.config.storage_folder.glob("decisions/*"))


def test_digits_that_several_versions_begin_with_are_refused(tmp_path: Path, pacs: MovingPacs) -> None:
    house = house_with(tmp_path, pacs)
    number = 0
    while len({row.sha256[0] for row in house.rows(Instance)}) == len(house.rows(Instance)):
        number += 1
        arrive(house, changed(image(), SOPInstanceUID=f"1.2.1.1.{number}"), sender=SCANNER)
    digits = [row.sha256[0] for row in house.rows(Instance)]
    (twice,) = {digit for digit in digits if digits.count(digit) > 1}
    assert refusal(house, "conflicts", "keep", twice)[1].startswith("dicom-node: more than one version begins with")


def test_a_misfiled_result_is_shown_and_settled_by_a_person(misfiled: tuple[House, str]) -> None:
    house, result = misfiled
    said = command(house, "conflicts")
    for words in (result, "moved to study 1.2.9 by pacs", "the peer does not find it", "conflicts settle RESULT"):
        assert words in said
    assert "1 results may stand at a peer" in command(house, "status")
    (row,) = json.loads(command(house, "conflicts", "--json"))["misfiled"]
    assert (row["peer"], row["result"]) == ("pacs", result)
    assert command(house, "conflicts", "settle", result).strip() == f"result {result} is settled at pacs"
    assert "no result waits for a person" in command(house, "conflicts")
    assert [one.state for one in house.rows(Delivery) if one.result_uid == result] == [DeliveryState.WITHDRAWN]
    assert refusal(house, "conflicts", "settle", result)[0] == 1


def test_status_explain_and_verify_count_and_name_what_is_not_current(house: House) -> None:
    arrive(house, changed(image(), **HEADER), sender=SCANNER)
    house.settle()
    line = "versions that are not current: 1 held, 1 superseded; `dicom-node conflicts` shows what is held"
    assert line in command(house, "status")
    assert line in command(house, "verify")
    assert json.loads(command(house, "status", "--json"))["versions"] == {"held": 1, "superseded": 1}
    assert json.loads(command(house, "verify", "--json"))["versions"] == {"held": 1, "superseded": 1}
    stack = next(one for one in house.stacks() if one.state == StackState.DELIVERED)
    told = command(house, "explain", stack.id)
    assert f"version {held(house).sha256[:12]} of 1.2.1.1.1 is held: STRANGER sent other pixels" in told
    assert "is superseded: SCANNER sent the same pixels under another header" in " ".join(told.split())


def test_status_and_explain_name_what_was_rejected(tmp_path: Path, pacs: MovingPacs) -> None:
    house, _ = delivered(tmp_path, pacs)
    arrive(house, rejection_note("113001", [image()]), sender=PACS)
    house.settle()
    assert "versions that are not current: 1 rejected" in command(house, "status")
    stack = next(one for one in house.stacks() if one.corrected)
    assert "is rejected (DCM 113001) by pacs" in command(house, "explain", stack.id)


def test_a_moved_study_says_where_it_went_in_both_stacks(tmp_path: Path, pacs: MovingPacs) -> None:
    house, _ = delivered(tmp_path, pacs)
    arrive(house, changed(image(), **MOVED, **OTHER_PATIENT), sender=PACS)
    house.settle()
    ended = {stack.study_uid: command(house, "explain", stack.id) for stack in house.stacks()}
    assert "nothing to run, because moved to study 1.2.9 by pacs" in ended["1.2.1"]
    assert "delivered: lung to pacs" in ended["1.2.9"]
    assert len({row.uid for row in house.rows(Result)}) > 1

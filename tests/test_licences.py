"""What dicom-node brings along: no GPL or AGPL anywhere, LGPL only where DESIGN allows it."""

from __future__ import annotations

import re
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.tensorflow import require_tensorflow

LGPL_ALLOWED = frozenset({"psycopg", "psycopg-binary"})  # unmodified, by way of dbos

_STRONG = re.compile(r"\bA?GPL|GNU (Affero )?General Public", re.IGNORECASE)
_WEAK = re.compile(r"\bLGPL|GNU (Lesser|Library) ", re.IGNORECASE)


def required(name: str, extras: frozenset[str] = frozenset()) -> dict[str, Distribution]:
    """Return a distribution and everything that it requires here, by name; extras only where one is asked for."""
    found: dict[str, Distribution] = {}
    waiting = [(name, extras)]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        pair = waiting.pop()
        if pair in seen:
            continue
        seen.add(pair)
        found[canonicalize_name(pair[0])] = one = distribution(pair[0])
        waiting += [(need.name, frozenset(need.extras)) for need in needs(one, pair[1])]
    return found


def needs(one: Distribution, extras: frozenset[str]) -> list[Requirement]:
    requirements = [Requirement(text) for text in one.requires or ()]
    return [need for need in requirements if _wanted(need, extras)]


def _wanted(need: Requirement, extras: frozenset[str]) -> bool:
    if need.marker is None:
        return True
    return any(need.marker.evaluate({"extra": extra}) for extra in ("", *extras))


def licence(one: Distribution) -> str:
    """Return all that the metadata says of the licence, or else how the licence's own text begins."""
    metadata = one.metadata
    free_text = [text.strip().partition("\n")[0] for text in metadata.get_all("License", [])]
    classifiers = [text for text in metadata.get_all("Classifier", []) if text.startswith("License")]
    said = [*metadata.get_all("License-Expression", []), *free_text, *classifiers]
    return "; ".join(filter(None, said)) or _title(one)


def _title(one: Distribution) -> str:
    """Return the first words of the licence files that a distribution brings."""
    names = set(one.metadata.get_all("License-File", []))
    texts = [Path(str(one.locate_file(file))).read_text() for file in one.files or () if file.name in names]
    return "; ".join(" ".join(text.split()[:8]) for text in texts)


def complaint(name: str, said: str) -> str:
    """Say what is wrong with a licence, or nothing."""
    if _WEAK.search(said):
        return "" if name in LGPL_ALLOWED else f"{name}: LGPL is allowed for psycopg only: {said}"
    if _STRONG.search(said):
        return f"{name}: GPL or AGPL: {said}"
    return "" if re.search(r"[A-Za-z]", said) else f"{name}: its metadata names no licence"


@pytest.mark.parametrize("extra", ["", "tensorflow"])
def test_no_requirement_is_under_a_licence_that_the_project_excludes(extra: str) -> None:
    if extra:
        require_tensorflow()
    found = required("dicom-node", frozenset({extra} - {""}))
    assert len(found) > 20
    assert [said for name, one in found.items() if (said := complaint(name, licence(one)))] == []


@pytest.mark.parametrize(
    ("name", "said", "wrong"),
    [
        ("a", "GPL-3.0-or-later", True),
        ("a", "License :: OSI Approved :: GNU Affero General Public License v3", True),
        ("a", "AGPL-3.0-only", True),
        ("a", "LGPL-3.0-only", True),
        ("a", "GNU Lesser General Public License v3 (LGPLv3)", True),
        ("a", "; ", True),
        ("psycopg", "LGPL-3.0-only", False),
        ("a", "Apache-2.0", False),
        ("a", "License :: OSI Approved :: MIT License", False),
    ],
)
def test_licences_are_told_apart(name: str, said: str, *, wrong: bool) -> None:
    assert bool(complaint(name, said)) is wrong

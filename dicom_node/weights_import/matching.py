"""A file's tensors against a recipe's table: all of them, each of the expected shape, or a refusal that names them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from itertools import groupby, zip_longest
from operator import attrgetter
from typing import TypeAlias

from dicom_node.errors import WeightsError
from dicom_node.weights_import.found import FoundTensor
from dicom_node.weights_import.tables import TableTensor, TensorTable

Pairs: TypeAlias = list[tuple[TableTensor, FoundTensor]]
_NAMED = 6  # problems that a message spells out


def match(table: TensorTable, found: Sequence[FoundTensor], *, ignored: str = "num_batches_tracked") -> Pairs:
    """Pair every tensor of the table with one of the file.

    `ignored` is the last word of PyTorch's step counters, which inference never reads and a table does not list.

    Raises:
        WeightsError: what is missing, what is left over, or whose shape is another, by name.
    """
    found = [one for one in found if one.name.rsplit(".", 1)[-1] != ignored]
    pair = {"position": _by_position, "layer": _by_layer, "name": _by_name}[table.by]
    pairs, problems = pair(table.tensors, found)
    if problems:
        more = len(problems) - _NAMED
        raise WeightsError("; ".join(problems[:_NAMED]) + (f"; and {more} more" if more > 0 else ""))
    return pairs


def candidates(tables: Mapping[str, TensorTable], found: Sequence[FoundTensor], framework: str) -> list[str]:
    """Return the recipes whose table the file fits exactly.

    Raises:
        WeightsError: when there is none; it names the recipe that comes closest, and why it is not that one.
    """
    fitting, failures = [], []
    for name, table in tables.items():
        if table.framework == framework:
            try:
                match(table, found)
            except WeightsError as error:
                failures.append((_likeness(table, found), name, str(error)))
            else:
                fitting.append(name)
    if fitting:
        return fitting
    if not failures:
        raise WeightsError(f"no recipe reads {framework} checkpoints")
    _, nearest, why = max(failures)
    raise WeightsError(f"its tensors fit no recipe; {nearest} comes closest, but {why}")


def _likeness(table: TensorTable, found: Sequence[FoundTensor]) -> float:
    mine, theirs = [(one.kind, one.shape) for one in table.tensors], [(one.kind, one.shape) for one in found]
    return SequenceMatcher(None, mine, theirs, autojunk=False).ratio()


def _by_position(table: Sequence[TableTensor], found: Sequence[FoundTensor]) -> tuple[Pairs, list[str]]:
    """In order, whatever the names: Keras numbers layers by what else a session had built."""
    mine, theirs = [(one.kind, one.shape) for one in table], [(one.kind, one.shape) for one in found]
    if mine == theirs:
        return list(zip(table, found, strict=True)), []
    names = {one.label for one in table}
    if len(names & {one.label for one in found}) * 2 >= len(names):  # the usual numbers: say which by name
        return [], _by_name(table, found)[1] or ["its tensors stand in another order than published"]
    problems: list[str] = []
    for _, start, stop, first, last in SequenceMatcher(None, mine, theirs, autojunk=False).get_opcodes():
        if mine[start:stop] != theirs[first:last]:
            problems += [_problem(*both) for both in zip_longest(table[start:stop], found[first:last])]
    return [], problems


def _by_name(table: Sequence[TableTensor], found: Sequence[FoundTensor]) -> tuple[Pairs, list[str]]:
    expected, present = {one.label: one for one in table}, {one.label: one for one in found}
    pairs, problems = [], []
    for name in dict.fromkeys([*expected, *present]):
        wanted, got = expected.get(name), present.get(name)
        if wanted and got and wanted.shape == got.shape:
            pairs.append((wanted, got))
        else:
            problems.append(_problem(wanted, got))
    return pairs, problems


def _by_layer(table: Sequence[TableTensor], found: Sequence[FoundTensor]) -> tuple[Pairs, list[str]]:
    """Layers by name, a layer's tensors by position: the names inside a nested model are numbered automatically."""
    expected: dict[str, list[TableTensor]] = {}
    for one in table:
        expected.setdefault(one.layer, []).append(one)
    present = {layer: list(tensors) for layer, tensors in groupby(found, key=attrgetter("layer"))}
    pairs, problems = [], []
    for layer in dict.fromkeys([*expected, *present]):
        for wanted, got in zip_longest(expected.get(layer, []), present.get(layer, [])):
            if wanted and got and (wanted.kind, wanted.shape) == (got.kind, got.shape):
                pairs.append((wanted, got))
            else:
                problems.append(_problem(wanted, got))
    return pairs, problems


def _problem(wanted: TableTensor | None, got: FoundTensor | None) -> str:
    if got is None:
        return f"tensor {wanted.label} {wanted.shape} is missing" if wanted else ""
    if wanted is None:
        return f"tensor {got.label} {got.shape} is left over"
    return f"tensor {wanted.label} expected {wanted.kind} {wanted.shape}, found {got.label} {got.shape}"

"""The arrows among modules, as DESIGN has them: ground, rooms, top, and which libraries enter by which door."""

from __future__ import annotations

import ast
import dataclasses
import graphlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

GROUND = frozenset(
    {
        *("errors", "config", "pipeline", "uids", "weights_store", "weights_import", "images", "findings", "catalog"),
        *("encoding", "imaging", "content", "processes", "commitment", "patterns", "retired", "callers", "modes"),
        *("bounds", "certificates", "viewers"),
        *("anatomy", "config_groups", "config_words", "printable", "logs", "shipped"),
    }
)  # processes: what a room that is a process of its own does at its start
ROOMS = frozenset({"receive", "routing", "infer", "results", "deliver", "web"})
TOP = "top"  # whatever else lies in dicom_node/

# library -> the parts of dicom_node that may import it; everything not named here may be imported anywhere
DOORS: dict[str, frozenset[str]] = {
    "dbos": frozenset({"work"}),
    "alembic": frozenset({"catalog"}),
    "sqlalchemy": frozenset({"catalog", "receive", TOP}),
    "pynetdicom": frozenset({"receive", "deliver", "demo"}),
    "highdicom": frozenset({"imaging", "results", "demo"}),
    "torch": frozenset({"infer"}),
    "tensorflow": frozenset({"infer"}),
    "keras": frozenset({"infer"}),
}

# the modules of the TensorFlow process: they alone import it, and nothing of PyTorch
TENSORFLOW = ("dicom_node.infer.tensorflow_serving", "dicom_node.infer.tensorflow_models", "pipelines.published.keras")

# folder below pipelines/ ("" is the model files themselves) -> what of dicom_node it may import
SURFACE: dict[str, frozenset[str]] = {
    "": frozenset({"dicom_node.pipeline"}),
    "networks": frozenset(),
}


@dataclasses.dataclass(frozen=True)
class Import:
    """One name imported by one module."""

    by: str  # dotted module name
    where: str  # file:line
    target: str  # dotted: a module, or a module and a name in it
    in_function: bool


def part(module: str) -> str:
    """`dicom_node.receive.scp` is of the part `receive`."""
    return [*module.split("."), ""][1]


def layer(module: str) -> str:
    name = part(module)
    return "ground" if name in GROUND else name if name in ROOMS else TOP


def imports(source: str, module: str, file: str, *, package: bool = False) -> list[Import]:
    return list(_walk(ast.parse(source), module, file, package=package, in_function=False))


def _walk(node: ast.AST, module: str, file: str, *, package: bool, in_function: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            for target in _targets(child, module, package=package):
                yield Import(module, f"{file}:{child.lineno}", target, in_function)
        inner = in_function or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield from _walk(child, module, file, package=package, in_function=inner)


def _targets(node: ast.Import | ast.ImportFrom, module: str, *, package: bool) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    parents = module.split(".")
    above = parents[: len(parents) - node.level + package] if node.level else []
    base = ".".join([*above, *([node.module] if node.module else [])])
    return [f"{base}.{alias.name}" for alias in node.names]


def against_layers(one: Import) -> str:
    if not (one.by.startswith("dicom_node") and one.target.startswith("dicom_node")):
        return ""
    mine, theirs = layer(one.by), layer(one.target)
    allowed = {TOP: {TOP, "ground", *ROOMS}, "ground": {"ground"}}.get(mine, {mine, "ground"})
    return "" if theirs in allowed else f"{mine} must not import {theirs}"


def against_doors(one: Import) -> str:
    library = one.target.split(".")[0]
    doors = DOORS.get(library)
    if doors is None or not one.by.startswith("dicom_node"):
        return ""
    return "" if {part(one.by), layer(one.by)} & doors else f"{library} enters only by {sorted(doors) or 'no door'}"


def against_mixing(one: Import) -> str:
    theirs = one.by.startswith(TENSORFLOW)
    library = one.target.split(".")[0]
    if library in ("tensorflow", "keras"):
        return "" if theirs else f"{library} is imported in its own process only"
    return "the TensorFlow process imports no torch" if theirs and library == "torch" else ""


def against_surface(one: Import) -> str:
    if one.by.startswith("dicom_node"):
        lower = layer(one.by) != TOP and one.target.split(".")[0] == "pipelines"
        return "only the top imports pipelines" if lower else ""
    folder = one.by.split(".")[1] if one.by.count(".") > 1 else ""
    allowed = SURFACE.get(folder)
    if allowed is None or not one.target.startswith("dicom_node"):
        return ""
    known = any(one.target == name or one.target.startswith(f"{name}.") for name in allowed)
    return "" if known else f"a model file sees only {sorted(allowed) or 'libraries'}, not {one.target}"


def against_hiding(one: Import) -> str:
    return "import inside a function" if one.in_function and one.by.startswith("dicom_node") else ""


def against_back_tracking(one: Import) -> str:
    """Header values are searched by dicom_node.patterns alone; imaging.headers searches keywords."""
    reads_headers = part(one.by) in {"imaging", "routing"} or (
        one.by.startswith("pipelines.") and one.by.count(".") == 1
    )
    allowed = not reads_headers or one.by == "dicom_node.imaging.headers"
    return "" if one.target != "re" or allowed else "header values are searched by dicom_node.patterns"


RULES = (against_layers, against_doors, against_mixing, against_surface, against_hiding, against_back_tracking)


def violations(found: list[Import]) -> list[str]:
    return [f"{one.where}: {said}" for one in found for rule in RULES if (said := rule(one))]


def cycle(found: list[Import], modules: frozenset[str]) -> list[str]:
    """Return the modules of one import cycle, or nothing."""
    graph: dict[str, set[str]] = {module: set() for module in modules}
    for one in found:
        target = one.target if one.target in modules else one.target.rpartition(".")[0]
        if target in modules and target != one.by:
            graph[one.by].add(target)
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@pytest.fixture(scope="module")
def tree() -> dict[str, list[Import]]:
    """Every module of ours, with what it imports."""
    paths = sorted([*ROOT.glob("dicom_node/**/*.py"), *ROOT.glob("pipelines/**/*.py")])
    return {
        module_of(path): imports(
            path.read_text(), module_of(path), str(path.relative_to(ROOT)), package=path.name == "__init__.py"
        )
        for path in paths
    }


def test_imports_keep_to_the_arrows_and_doors(tree: dict[str, list[Import]]) -> None:
    said = violations([one for found in tree.values() for one in found])
    assert not said, "\n".join(said)


def test_no_import_cycle(tree: dict[str, list[Import]]) -> None:
    assert cycle([one for found in tree.values() for one in found], frozenset(tree)) == []


def test_every_ground_module_and_room_is_where_the_table_says(tree: dict[str, list[Import]]) -> None:
    planned = {"web"}  # not written yet
    assert {part(module) for module in tree if module.startswith("dicom_node")} >= (GROUND | ROOMS) - planned


@pytest.mark.parametrize(
    ("module", "source", "said"),
    [
        ("dicom_node.uids", "import dicom_node.node", "ground must not import top"),
        ("dicom_node.imaging.volume", "from dicom_node.infer import engine", "ground must not import infer"),
        ("dicom_node.receive.scp", "from dicom_node.deliver.scu import send", "receive must not import deliver"),
        ("dicom_node.receive.scp", "from ..deliver import scu", "receive must not import deliver"),
        ("dicom_node.results.seg", "from dicom_node import cli", "results must not import top"),
        ("dicom_node.node", "import dbos", "dbos enters only by ['work']"),
        ("dicom_node.routing.routes", "from sqlalchemy import select", "sqlalchemy enters only by"),
        ("dicom_node.results.sr", "from pynetdicom import AE", "pynetdicom enters only by"),
        ("dicom_node.work.worker", "import torch.nn", "torch enters only by ['infer']"),
        ("dicom_node.infer.engine", "import tensorflow", "tensorflow is imported in its own process only"),
        ("dicom_node.infer.tensorflow_process", "import keras", "keras is imported in its own process only"),
        ("pipelines.liver_ct", "import tensorflow", "tensorflow is imported in its own process only"),
        ("pipelines.published.keras.layers", "import torch", "the TensorFlow process imports no torch"),
        ("dicom_node.infer.engine", "import pipelines.liver_ct", "only the top imports pipelines"),
        ("dicom_node.uids", "def f():\n    import json", "x.py:2: import inside a function"),
        ("pipelines.liver_ct", "from dicom_node.imaging import volume", "a model file sees only"),
        ("pipelines.liver_ct", "import re", "header values are searched by dicom_node.patterns"),
        ("pipelines.networks.unet", "import dicom_node.pipeline", "a model file sees only libraries"),
    ],
)
def test_a_violation_names_its_file_and_line(module: str, source: str, said: str) -> None:
    [found] = violations(imports(source, module, "x.py"))
    assert found.startswith("x.py:")
    assert said in found


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("dicom_node.node", "from dicom_node.receive import Receiver\nfrom dicom_node.work import worker"),
        ("dicom_node.receive.scp", "from dicom_node.receive.shelf import Shelf\nfrom pynetdicom import AE"),
        ("dicom_node.status", "from sqlalchemy import select"),
        ("dicom_node.infer.tensorflow_models", "import keras\nimport tensorflow"),
        ("pipelines.liver_ct", "from dicom_node.pipeline import Pipeline\nimport torch"),
        ("pipelines.training.loop", "from dicom_node.imaging import volume"),
    ],
)
def test_what_is_allowed_passes(module: str, source: str) -> None:
    assert violations(imports(source, module, "x.py")) == []


def test_a_cycle_is_found() -> None:
    found = [*imports("import a.y", "a.x", "x.py"), *imports("from a.x import f", "a.y", "y.py")]
    assert set(cycle(found, frozenset({"a.x", "a.y"}))) == {"a.x", "a.y"}


@pytest.mark.parametrize("name", ["receiver", "registrar"])
def test_the_processes_that_receive_stay_small(name: str) -> None:
    loaded = f"import dicom_node.receive.{name}_process, sys; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True, cwd=ROOT)
    assert not {"highdicom", "SimpleITK", "cv2", "scipy", "torch"} & set(run.stdout.split())

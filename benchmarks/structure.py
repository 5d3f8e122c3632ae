"""How the source reads, in numbers: `python -m benchmarks.structure` prints one row for each measure.

Product files are those of dicom_node/ and pipelines/ without migrations; lines are those of a file, a function's lines
those of its body without the docstring.
"""

from __future__ import annotations

import ast
import graphlib
import re
import statistics
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
_PRODUCT = ("dicom_node", "pipelines")
_SMALL_LINES = 130  # a module up to this with one importer is a fragment
_VAGUE = frozenset({"one", "key", "what", "it"})
_ARRAY = re.compile(r"\b(NDArray|Tensor|ndarray|Floats|Volume\b.*array)")
_SHAPE = re.compile(r"\([a-z0-9_ ]+(, ?[a-z0-9_ .]+)+\)", re.IGNORECASE)
_PARTICIPLE = re.compile(
    r"^_?[a-z]+(?<!ne)(?<!se)(?<!fe)(?<!spe)ed$|^_?(told|made|found|drawn|shown|kept|built|sent|read_back|known|held|cut)$"
)


@dataclass(frozen=True)
class Module:
    """One product file."""

    name: str  # dotted
    lines: int
    tree: ast.Module

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        """Yield every function and method."""
        yield from (node for node in ast.walk(self.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def read_modules() -> list[Module]:
    """Return every product module."""
    files = [
        path for folder in _PRODUCT for path in sorted((_ROOT / folder).rglob("*.py")) if "migrations" not in path.parts
    ]
    return [_module(path) for path in files]


def _module(path: Path) -> Module:
    words = path.relative_to(_ROOT).with_suffix("").parts
    text = path.read_text()
    return Module(".".join(words[:-1] if words[-1] == "__init__" else words), text.count("\n"), ast.parse(text))


def count_imports(modules: Sequence[Module]) -> dict[str, set[str]]:
    """Return which product modules each product module imports."""
    names = {module.name for module in modules}
    return {module.name: set(_imported(module, names)) - {module.name} for module in modules}


def _imported(module: Module, names: set[str]) -> Iterator[str]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                yield from {submodule if submodule in names else node.module} & names
        elif isinstance(node, ast.Import):
            yield from {alias.name for alias in node.names} & names


def count_cycles(imports: Mapping[str, set[str]]) -> int:
    """Return 0 where the imports have no cycle, else the length of the first that is found."""
    try:
        graphlib.TopologicalSorter(imports).prepare()
    except graphlib.CycleError as error:
        return len(error.args[1]) - 1
    return 0


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return how many lines a function's body has, its docstring not counted."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return body[-1].end_lineno - body[0].lineno + 1 if body and body[-1].end_lineno else 0


def find_doubles(modules: Sequence[Module]) -> list[str]:
    """Return the names of classes and type aliases that stand for more than one thing."""
    defined = Counter(
        name for module in modules for node in module.tree.body for name in _defined(node) if not name.startswith("_")
    )
    return sorted(name for name, count in defined.items() if count > 1)


def _defined(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.ClassDef):
        yield node.name
    elif (
        isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and "TypeAlias" in ast.unparse(node.annotation)
    ):
        yield node.target.id


def count_vague(module: Module) -> int:
    """Return how often a variable or argument is bound to a name that says nothing."""
    bound = [
        node.id for node in ast.walk(module.tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    ]
    arguments = [argument.arg for function in module.functions() for argument in function.args.args]
    return sum(name in _VAGUE for name in bound + arguments)


def count_private(module: Module) -> int:
    """Return how often a private attribute of another object is used."""
    return sum(
        isinstance(node, ast.Attribute)
        and node.attr.startswith("_")
        and not node.attr.startswith("__")
        and not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"))
        for node in ast.walk(module.tree)
    )


def shaped_docstrings(modules: Sequence[Module]) -> tuple[int, int]:
    """Return how many public functions with array arguments state shapes, and how many such functions there are."""
    taking = [
        function
        for module in modules
        for function in module.functions()
        if not function.name.startswith("_") and _ARRAY.search(ast.unparse(function.args))
    ]
    return sum(bool(_SHAPE.search(ast.get_docstring(function) or "")) for function in taking), len(taking)


def percent(part: int, whole: int) -> str:
    """Return a share as a whole number of percent."""
    return f"{100 * part / max(1, whole):.1f} %"


def rows(modules: Sequence[Module]) -> Iterator[tuple[str, str]]:
    """Yield each measure and its value."""
    lines = sorted(module.lines for module in modules)
    functions = [function for module in modules for function in module.functions()]
    bodies = sorted(body_lines(function) for function in functions)
    imports = count_imports(modules)
    importers = Counter(name for targets in imports.values() for name in targets)
    fragments = [module for module in modules if 0 < module.lines <= _SMALL_LINES and importers[module.name] == 1]
    named = Counter(function.name for function in functions)
    participles = sum(count for name, count in named.items() if _PARTICIPLE.match(name))
    doubles = find_doubles(modules)
    shaped, taking = shaped_docstrings(modules)
    yield "files", str(len(modules))
    yield (
        "lines of a file: median, 95th percentile, most",
        f"{statistics.median(lines):.0f}, {_p95(lines)}, {lines[-1]}",
    )
    yield (
        "lines of a function: median, 95th percentile, most",
        f"{statistics.median(bodies):.0f}, {_p95(bodies)}, {bodies[-1]}",
    )
    yield "length of an import cycle", str(count_cycles(imports))
    yield "type names that stand for several things", f"{len(doubles)}: {', '.join(doubles)}"
    yield "functions named by a participle", percent(participles, len(functions))
    yield "variables called one, key, what or it", str(sum(map(count_vague, modules)))
    yield f"modules up to {_SMALL_LINES} lines with one importer", percent(len(fragments), len(modules))
    yield "uses of another object's private attribute", str(sum(map(count_private, modules)))
    yield "public functions with arrays that state shapes", f"{shaped} of {taking}"


def _p95(values: Sequence[int]) -> int:
    return values[int(0.95 * (len(values) - 1))]


def main() -> int:
    """Print the table."""
    sys.stdout.write("| measure | value |\n|---|---|\n")
    sys.stdout.writelines(f"| {measure} | {value} |\n" for measure, value in rows(read_modules()))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The house's rules on imports and names, read from the source."""

from __future__ import annotations

import ast
import importlib
import inspect
import shutil
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any, get_args, get_origin, get_overloads, get_type_hints

import pytest

import garim

SOURCE = Path(garim.__file__).parent

LAYERS = (
    "__main__",
    "cli", "__init__", "doctor",  # the front door and the doctor know all but the command line
    "web", "demo", "report", "audit", "extraction", "similarity", "enhancement", "comparison",
    "evaluation",
    "prediction", "training", "augmentation", "foreground", "models", "execution", "plan",
    "collection", "given", "dataset", "formats", "copies", "resizing", "frames", "pictures",
    "streaming", "boxes", "growing", "locks", "files", "remote", "errors",
)  # fmt: skip
"""Top to bottom; a module imports from layers below its own, or from its own package."""


def modules(source: Path) -> dict[str, Path]:
    """Give every module by its dotted name without ``garim.``; packages end in ``__init__``."""
    return {
        ".".join(path.relative_to(source).with_suffix("").parts): path
        for path in sorted(source.rglob("*.py"))
    }


def imports(source: Path) -> dict[str, set[str]]:
    """Give the modules of garim that each module imports, also inside its functions."""
    known = modules(source)
    return {name: set(_imported(name, _tree(path), known)) - {name} for name, path in known.items()}


def _tree(path: Path) -> ast.Module:
    return _parsed(path.read_text(encoding="utf-8"))


@cache
def _parsed(text: str) -> ast.Module:
    return ast.parse(text)


def _imported(module: str, tree: ast.AST, known: dict[str, Path]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for one in node.names:
                if one.name.split(".")[0] == "garim":
                    yield _module(one.name, known)
        elif isinstance(node, ast.ImportFrom):
            base = _base(module, node)
            if base.split(".")[0] == "garim":
                for one in node.names:
                    yield _module(f"{base}.{one.name}", known)


def _base(module: str, node: ast.ImportFrom) -> str:
    """Give what is imported from, with relative imports resolved."""
    parts = ["garim", *module.split(".")]
    above = parts[: -node.level] if node.level else []
    return ".".join([*above, *(node.module or "").split(".")]).rstrip(".")


def _module(dotted: str, known: dict[str, Path]) -> str:
    """Give the module that ``garim.x.y`` is, or is a name in."""
    parts = dotted.split(".")[1:]
    for end in (parts, parts[:-1]):
        for candidate in (".".join(end), ".".join([*end, "__init__"])):
            if candidate in known:
                return candidate
    raise AssertionError(f"{dotted} is in no module")


def layer(module: str) -> str:
    return module.split(".", maxsplit=1)[0]


def wrong_imports(source: Path) -> list[str]:
    """List imports that point up or sideways, and layers that nobody has placed."""
    order = {name: place for place, name in enumerate(LAYERS)}
    found = imports(source)
    wrong = [f"{name} is in no layer" for name in found if layer(name) not in order]
    return wrong + [
        f"{one} imports {other}"
        for one, others in found.items()
        for other in sorted(others)
        if layer(one) != layer(other) and order.get(layer(one), 99) >= order.get(layer(other), -1)
    ]


def cycle(source: Path) -> list[str]:
    """Give one import cycle between modules, or nothing."""
    try:
        tuple(TopologicalSorter(imports(source)).static_order())
    except CycleError as error:
        return list(error.args[1])
    return []


def test_imports_point_down() -> None:
    assert wrong_imports(SOURCE) == []


def test_no_import_cycle() -> None:
    assert cycle(SOURCE) == []


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("errors", "from garim.dataset import read"),
        ("errors", "import garim.cli.app"),
        ("errors", "import garim"),
        ("boxes", "def late():\n    from garim import plan"),
        ("pictures", "from . import formats"),
        ("plan/journal", "from ..extraction import extract"),
        ("doctor", "from garim.cli import main"),
        ("copies", "if False:\n    from garim.formats.rows import Row as R"),
        ("stray", "x = 1"),
    ],
)
def test_a_wrong_import_is_found(tmp_path: Path, module: str, line: str) -> None:
    copy = Path(shutil.copytree(SOURCE, tmp_path / "garim", ignore=_only_python))
    with (copy / f"{module}.py").open("a", encoding="utf-8") as stream:
        stream.write(f"\n{line}\n")
    new = set(wrong_imports(copy)) - set(wrong_imports(SOURCE))
    assert len(new) == 1 and new.pop().startswith(module.replace("/", "."))


def _only_python(folder: str, names: list[str]) -> list[str]:
    return [one for one in names if Path(folder, one).is_file() and not one.endswith(".py")]


def test_a_cycle_inside_a_package_is_found(tmp_path: Path) -> None:
    copy = Path(shutil.copytree(SOURCE, tmp_path / "garim", ignore=_only_python))
    with (copy / "formats" / "rows.py").open("a", encoding="utf-8") as stream:
        stream.write("\ndef late():\n    from garim.formats.tree import walk\n")
    assert {"formats.rows", "formats.tree"} <= set(cycle(copy))


def test_all_is_sorted_and_complete() -> None:
    assert list(garim.__all__) == sorted(set(garim.__all__))
    assert [name for name in garim.__all__ if not hasattr(garim, name)] == []
    tree = _tree(SOURCE / "__init__.py")
    named = {
        one.asname or one.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for one in node.names
    }
    assert named - {"annotations"} == set(garim.__all__)


def test_what_verbs_take_and_give_has_a_name() -> None:
    verbs = [one for name in garim.__all__ if inspect.isfunction(one := getattr(garim, name))]
    verbs += get_overloads(garim.evaluation.evaluate)
    types = {part for one in verbs for hint in get_type_hints(one).values() for part in parts(hint)}
    ours = {one.__name__ for one in types if getattr(one, "__module__", "").startswith("garim")}
    assert {"Trained", "LocalizationReport"} <= ours <= set(garim.__all__)


def parts(hint: Any) -> Iterator[Any]:
    """Give the types that a hint is made of."""
    if get_origin(hint) is None:
        yield hint
    for one in get_args(hint):
        yield from parts(one)


def test_packages_export_what_they_say() -> None:
    for name, path in modules(SOURCE).items():
        tree = _tree(path)
        if any(isinstance(n, ast.Assign) and _is_all(n) for n in tree.body):
            module = importlib.import_module("garim." + name.removesuffix(".__init__"))
            assert [one for one in module.__all__ if not hasattr(module, one)] == [], name


def _is_all(node: ast.Assign) -> bool:
    return any(isinstance(one, ast.Name) and one.id == "__all__" for one in node.targets)


def test_everything_public_has_a_docstring() -> None:
    bare = [
        f"{name}: {one}"
        for name, path in modules(SOURCE).items()
        for one in _undocumented(_tree(path), "module")
    ]
    assert bare == []


Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def _undocumented(node: Documented, name: str) -> Iterator[str]:
    if not ast.get_docstring(node) and not _is_overload(node):
        yield name
    if isinstance(node, ast.Module | ast.ClassDef):
        for one in node.body:
            if isinstance(one, Documented) and not one.name.startswith("_"):
                yield from _undocumented(one, one.name)


def _is_overload(node: Documented) -> bool:
    decorators = getattr(node, "decorator_list", [])
    return any(ast.unparse(one).split(".")[-1] == "overload" for one in decorators)

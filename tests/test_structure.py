"""Data goes one way: no folder of the package imports from one further down the chain."""

import ast
from pathlib import Path

import fer_perturb

PACKAGE = Path(fer_perturb.__file__).parent
ORDER = ["data", "models", "perturb", "tasks", "analysis", "report"]


def imported_folders(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("fer_perturb."):
            found.add((node.module or "").split(".")[1])
    return found


def test_imports_go_one_way() -> None:
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert folders == set(ORDER)
    for place, folder in enumerate(ORDER):
        for path in (PACKAGE / folder).glob("*.py"):
            backwards = imported_folders(path) & set(ORDER[place + 1 :])
            assert not backwards, f"{path.name} imports from {backwards}"


def test_the_mathematics_needs_neither_lightning_nor_hydra() -> None:
    for path in (PACKAGE / "perturb").glob("*.py"):
        names = {
            name.name if isinstance(node, ast.Import) else node.module or ""
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Import | ast.ImportFrom)
            for name in node.names
        }
        assert not [name for name in names if name.split(".")[0] in ("pytorch_lightning", "hydra", "omegaconf")]

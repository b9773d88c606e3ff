"""Data goes one way through the package, and a room of it can be taken in at a glance."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import fer_perturb

PACKAGE = Path(fer_perturb.__file__).parent
ORDER = [
    "command_line",
    "paper",
    "tables",
    "data",
    "models",
    "perturb",
    "schemes",
    "runs",
    "experiment",
    "tasks",
    "analysis",
    "saliency",
    "prediction",
    "searching",
    "report",
    "sweeps",
]
ROOMS = [  # of data: each may use those before it
    *("emotions", "file_names", "decode", "csv_table"),
    *("drawn_faces", "occlusion", "packed", "quality", "augmentation", "loading", "ferplus", "readers", "landmarks"),
    *("variant", "packing"),
]
LINES, LINES_OF_A_FUNCTION, MODULES = 300, 60, 12  # at most
# what is larger still, and may only become fewer
LONG_FILES: set[str] = set()
LONG_FUNCTIONS: set[str] = set()
FULL_ROOMS: set[str] = set()


def files(under: Path = PACKAGE) -> list[Path]:
    return sorted(path for path in under.rglob("*.py") if "__pycache__" not in path.parts)


def inside(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def imported(path: Path, *, at_once: bool = False) -> Iterator[str]:
    """The modules of the package that a file imports; `at_once`: when it is imported itself, not in a function."""
    tree = ast.parse(path.read_text())
    for node in tree.body if at_once else ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "fer_perturb":
            for name in node.names:
                within = f"{node.module}.{name.name}"
                is_module = any(
                    (PACKAGE.parent / within.replace(".", "/")).with_suffix(end).exists() for end in ("", ".py")
                )
                yield within if is_module else str(node.module)


def test_imports_go_one_way() -> None:
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert folders == set(ORDER)
    for place, folder in enumerate(ORDER):
        for path in files(PACKAGE / folder):
            used = {name.split(".")[1] for name in imported(path) if "." in name}
            backwards = used & set(ORDER[place + 1 :])
            assert not backwards, f"{inside(path)} imports from {backwards}"


def test_so_do_those_between_the_rooms_of_data() -> None:
    data = PACKAGE / "data"
    assert {path.stem for path in data.glob("[!_]*") if path.suffix in ("", ".py")} == set(ROOMS)
    for place, room in enumerate(ROOMS):
        for path in files(data / room) or [data / f"{room}.py"]:
            used = {name.split(".")[2] for name in imported(path) if name.startswith("fer_perturb.data.")}
            assert not used & set(ROOMS[place + 1 :]), f"{inside(path)} imports from {used & set(ROOMS[place + 1 :])}"


def test_the_tests_follow_the_rooms() -> None:
    tests = Path(__file__).parent
    folders = {path.parent.relative_to(tests) for path in tests.rglob("test_*.py")}
    assert [folder for folder in folders if not (PACKAGE / folder / "__init__.py").is_file()] == []


def test_no_module_needs_itself() -> None:
    graph = {}
    for path in files():
        name = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
        graph[name] = set(imported(path, at_once=True))
    TopologicalSorter(graph).prepare()  # raises CycleError


def test_the_mathematics_needs_neither_lightning_nor_hydra() -> None:
    for path in files(PACKAGE / "perturb"):
        names = {
            name.name if isinstance(node, ast.Import) else node.module or ""
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Import | ast.ImportFrom)
            for name in node.names
        }
        assert not [name for name in names if name.split(".")[0] in ("pytorch_lightning", "hydra", "omegaconf")]


AT_THE_DOOR = {"experiment/experiment.py", "experiment/ensemble.py", "experiment/dataset.py", "sweeps/plan.py"}
OF_A_RUN = "runs/run_directory.py"  # writes and reads config.yaml, in plain values


def test_below_the_door_nothing_reads_a_config() -> None:
    """The entry points and what resolves an experiment get Hydra's config; all else gets what was made of it."""
    readers = {
        inside(path)
        for path in files()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "omegaconf"
    }
    inner = {name for name in readers if "/" in name and not name.startswith("command_line/")}
    inner = {name for name in inner if not name.endswith("/__main__.py")}  # an entry point of a whole folder
    assert inner == AT_THE_DOOR | {OF_A_RUN}


def lines_of_files() -> dict[str, int]:
    return {inside(path): len(path.read_text().splitlines()) for path in files()}


def lines_of_functions() -> dict[str, int]:
    return {
        f"{inside(path)} {node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path in files()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def modules_of_rooms() -> dict[str, int]:
    """Commands, which say with a call of entry_point that they are one, do not count."""
    folders = [path.parent for path in files() if path.name == "__init__.py"]
    modules = {folder: [path.read_text() for path in folder.glob("[!_]*.py")] for folder in folders}
    return {
        inside(folder): sum("main = entry_point(" not in text for text in texts) for folder, texts in modules.items()
    }


@pytest.mark.parametrize(
    ("sizes", "most", "exceptions"),
    [
        (lines_of_files, LINES, LONG_FILES),
        (lines_of_functions, LINES_OF_A_FUNCTION, LONG_FUNCTIONS),
        (modules_of_rooms, MODULES, FULL_ROOMS),
    ],
    ids=["lines of a file", "lines of a function", "modules of a folder"],
)
def test_nothing_is_too_large(sizes, most, exceptions) -> None:
    """What has become small enough leaves the list of exceptions."""
    assert {name for name, size in sizes().items() if size > most} == exceptions

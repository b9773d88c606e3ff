"""Which command reads what, what it may write, and what its result is."""

from dataclasses import dataclass

from fuzz.world import BASELINE, PERTURB, PLACES, QUIET


@dataclass(frozen=True)
class Case:
    """A command, and what is damaged before it runs.

    parts: what there is (world.py). damaged: globs of what may be damaged. writes: the beginnings of the paths that the
    command may write or replace. results: globs of the files that are to be, byte for byte, what they are without
    damage. source: damage may also make other valid pictures or rows of it, which are to be packed as they are.
    weight: how often it is drawn; what trains is slow. All paths are relative to the sandbox.
    """

    name: str
    module: str
    words: tuple[str, ...]
    parts: tuple[str, ...]
    damaged: tuple[str, ...]
    writes: tuple[str, ...]
    results: tuple[str, ...]
    source: bool = False
    weight: float = 1.0


PACKED = ("data/new/*/*.npy", "data/new/*/names.txt")


def _prepare(name: str, part: str, source: str, *words: str, kind: str, weight: float) -> Case:
    new = ("dataset.name=new", f"dataset={kind}", f"source={{root}}/sources/{source}", PLACES[0])
    damaged = (f"sources/{source}", f"sources/{source}/**/*")
    writes = ("data/new", "data/.new")
    return Case(name, "prepare", (*new, *words), (part,), damaged, writes, PACKED, source=True, weight=weight)


def _found_again(name: str, part: str, data: str, *words: str, parts: tuple[str, ...] = (), weight: float) -> Case:
    """Data that stand there, damaged, are made again."""
    results = (f"data/{data}/*/*.npy", f"data/{data}/*/names.txt")
    damaged = (f"data/{data}", f"data/{data}/**/*")
    writes = (f"data/{data}", f"data/.{data}")
    return Case(name, "prepare", (*words, PLACES[0]), (part, *parts), damaged, writes, results, weight=weight)


def _train(name: str, words: tuple[str, ...], parts: tuple[str, ...], damaged: str, run: str, *, weight: float) -> Case:
    files = ("*/weights.safetensors", "*/clusters.safetensors", "*/attention.npy", "*/content.json")
    results = tuple(f"{run}/{file}" for file in ("summary.json", "predictions/*", "*/predictions/*", *files))
    return Case(name, "train", words, parts, (damaged, f"{damaged}/**/*"), ("outputs/",), results, weight=weight)


def _evaluate(name: str, words: tuple[str, ...], damaged: str, run: str, result: str, *, weight: float) -> Case:
    writes, results = (f"{run}/predictions/",), (f"{run}/predictions/{result}",)
    parts = ("mine", "other", "finished")
    words = (*words, *PLACES, *QUIET)
    return Case(name, "evaluate", words, parts, (damaged, f"{damaged}/**/*"), writes, results, weight=weight)


RUN = "run={root}/{perturb}"
DRAWN = (
    "dataset=synthetic",
    "dataset.drawing.train=8",
    "dataset.drawing.val=4",
    "dataset.drawing.test=4",
)
FOUND = ("mine", "other", "finished")

CASES = (
    _prepare("zip", "zipped", "fer2013.zip", kind="fer2013", weight=8),
    _prepare("folder", "folder", "fer2013", kind="fer2013", weight=8),
    _prepare("csv", "table", "fer2013.csv", kind="fer2013", weight=8),
    _prepare("csv.gz", "packed_table", "icml_face_data.csv.gz", kind="fer2013", weight=6),
    _prepare("faces", "faces", "faces", kind="folder", weight=8),
    _prepare("unsplit", "unsplit", "unsplit", "dataset.split=[0.6,0.2,0.2]", kind="folder", weight=4),
    _prepare("list", "listed", "listed/faces.csv", kind="folder", weight=4),
    _prepare("listed", "listed", "listed", kind="folder", weight=4),
    _prepare("released", "released", "released", kind="maskfer", weight=6),
    _found_again(
        "packed",
        "packed",
        "fer2013",
        "dataset=fer2013",
        "source={root}/sources/fer2013.zip",
        parts=("zipped",),
        weight=5,
    ),
    _found_again("drawn", "drawn", "synthetic", *DRAWN, weight=5),
    _found_again(
        "masked",
        "masked",
        "masked",
        "dataset=maskfer",
        "dataset.name=masked",
        "dataset.of=mine",
        parts=("mine",),
        weight=0.5,
    ),
    Case(
        "masks of",
        "prepare",
        ("dataset=maskfer", "dataset.name=masked", "dataset.of=mine", PLACES[0]),
        ("mine", "masked"),
        ("data/mine", "data/mine/**/*"),
        ("data/masked", "data/.masked", "data/mine/landmarks", "data/.mine"),
        ("data/masked/*/*.npy",),
        weight=1,
    ),
    _train("data", PERTURB, FOUND, "data/mine", "{perturb}", weight=6),
    _train("tested on", BASELINE, FOUND, "data/other", "{baseline}", weight=4),
    _train("run", PERTURB, FOUND, "{perturb}", "{perturb}", weight=7),
    _train("finished", BASELINE, FOUND, "outputs", "{baseline}", weight=7),
    _train("budget of", (*BASELINE, "budget_of={root}/{perturb}"), FOUND, "{perturb}", "{baseline}", weight=4),
    _train("cache", PERTURB, ("mine", "other", "cache"), "outputs/.cache", "{perturb}", weight=2),
    _train("interrupted", PERTURB, ("mine", "other", "interrupted"), "outputs/.cache", "{perturb}", weight=2),
    _evaluate("evaluate", (RUN,), "{perturb}", "{perturb}", "mine*.parquet", weight=7),
    _evaluate("own data", (RUN,), "data/mine", "{perturb}", "mine*.parquet", weight=3),
    _evaluate(
        "other data",
        (RUN, "dataset=folder", "dataset.name=other"),
        "data/other",
        "{perturb}",
        "other.parquet",
        weight=4,
    ),
    _evaluate(
        "occluded",
        (RUN, "dataset=folder", "dataset.name=other", "dataset.occluder=mouth"),
        "data/other/landmarks",
        "{perturb}",
        "other+mouth@1.parquet",
        weight=4,
    ),
    _evaluate(
        "views from",
        ("run={root}/{baseline}", "views_from={root}/{perturb}"),
        "{perturb}",
        "{baseline}",
        "mine+views_from@*.parquet",
        weight=4,
    ),
    Case(
        "contact sheet",
        "contact_sheet",
        ("dataset=folder", "dataset.name=mine", "count=4", *PLACES),
        ("mine",),
        ("data/mine", "data/mine/**/*"),
        ("outputs/contact_sheets",),
        ("outputs/contact_sheets/*.png",),
        weight=2,
    ),
    Case(
        "landmarks",
        "landmarks",
        ("dataset=folder", "dataset.name=mine", PLACES[0]),
        ("mine",),
        ("data/mine", "data/mine/**/*"),
        ("data/mine/landmarks", "data/mine/.landmarks", "data/.mine"),
        ("data/mine/landmarks/*",),
        weight=1,
    ),
)

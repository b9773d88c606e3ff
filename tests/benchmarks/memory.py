"""Memory: a chain's peak above its imports, against what its data, networks and one training step need."""

import json
import statistics
import subprocess
import sys

import torch
from torch import Tensor, nn

from benchmarks.bench import Bench
from benchmarks.fits import bare_step
from benchmarks.measure import Row, Target
from fer_perturb.tasks.chain import Chain

CHAIN = ("model=resnet_small", "recipe=cpu", "recipe.batch_size=128", "scheme=perturb", "scheme/views=sample")
MEGABYTE = 10**6

# Runs a module with its arguments, or imports a list of modules; at its end it notes its own peak and its modules.
# Not getrusage on Linux: there a process starts with the peak of the one that started it.
CHILD = """
import atexit, importlib, json, pathlib, runpy, sys
def peak():
    torch = sys.modules.get("torch")
    if torch and torch.cuda.is_initialized():
        return torch.cuda.max_memory_allocated()
    status = pathlib.Path("/proc/self/status")
    if status.exists():
        return 1024 * int(status.read_text().split("VmHWM:")[1].split()[0])
    import resource
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
def note():
    pathlib.Path(noted).write_text(json.dumps({"peak": peak(), "modules": list(sys.modules)}))
_, noted, what, *sys.argv[1:] = sys.argv
atexit.register(note)
if what.endswith(".json"):
    for name in json.loads(pathlib.Path(what).read_text())["modules"]:
        try:
            importlib.import_module(name)
        except Exception:
            pass  # such as __main__
else:
    runpy.run_module(what, run_name="__main__", alter_sys=True)
"""


def rows(bench: Bench) -> list[Row]:
    """A process each turn. On a GPU it is the memory that torch allocates there, of which imports take none."""
    chain = bench.chain(*CHAIN)
    steps = bench.count(15, least=6)
    limits = (f"trainer.limit_train_batches={steps}", "trainer.limit_val_batches=1", "recipe.tta=none")
    ran, imported = [], []
    for turn in range(bench.rounds):
        outputs = f"paths.outputs={bench.directory / f'outputs{turn}'}"  # no phase is there already
        ran.append(peak(bench, "chain", "fer_perturb.train", *bench.overrides(), outputs, *CHAIN, *limits))
        imports = str(bench.directory / "chain.json")
        imported.append(0 if bench.device.type == "cuda" else peak(bench, "imports", imports))
    need = needed(bench, chain)
    parts = ", ".join(f"{name} {count / MEGABYTE:.0f}" for name, count in need.items())
    return [
        Row(
            "memory: peak of a chain above its imports",
            "MB",
            [(one - without) / MEGABYTE for one, without in zip(ran, imported, strict=True)],
            "computed",
            [sum(need.values()) / MEGABYTE] * bench.rounds,
            Target("ratio", "at most", 1.5),
            note=f"imports {statistics.median(imported) / MEGABYTE:.0f} MB; computed: {parts} MB",
        )
    ]


def peak(bench: Bench, name: str, *arguments: str) -> int:
    """Bytes that a process of its own takes at most."""
    noted = bench.directory / f"{name}.json"
    command = [sys.executable, "-c", CHILD, str(noted), *arguments]
    done = subprocess.run(command, cwd=bench.directory, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments)} failed:\n{done.stderr[-3000:]}")
    return int(json.loads(noted.read_text())["peak"])


def needed(bench: Bench, chain: Chain) -> dict[str, int]:
    """Bytes of the packed data, the networks, and what a training step of the predictor holds at once."""
    task = chain.predictor.task()
    network = size(*task.state_dict().values())
    optimizer = chain.experiment.recipe.optimizer(task.network.parameters())
    for weights in task.parameters():
        weights.grad = torch.zeros_like(weights)
    optimizer.step()
    state = [value for held in optimizer.state.values() for value in held.values() if isinstance(value, Tensor)]
    return {
        "packed data": packed(bench),
        "networks": network + size(*chain.attention.classifier().state_dict().values()),
        "gradients": size(*task.parameters()),
        "optimiser": size(*state),
        "activations": activations(bench, chain),
    }


def packed(bench: Bench) -> int:
    """Bytes of the data: on a CPU all files, which are mapped; on a GPU what lies there, with labels as int64."""
    if bench.device.type == "cpu":
        return sum(array.stat().st_size for array in bench.data.root.glob("*/*.npy"))
    resident = [bench.data.splits[split] for split in ("train", "val")]
    return sum(split.images.nbytes + 8 * len(split) for split in resident)


def activations(bench: Bench, chain: Chain) -> int:
    """Bytes that a training step keeps for its backward pass, weights left out; each piece of memory once."""
    held: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        if not isinstance(tensor, nn.Parameter):
            storage = tensor.untyped_storage()
            held[storage.data_ptr()] = storage.nbytes()
        return tensor

    step = bare_step(bench, chain)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        step()
    return sum(held.values())


def size(*tensors: Tensor) -> int:
    return sum(tensor.nbytes for tensor in tensors)

"""Which families of timm take pictures of 48 pixels: one small network of each is built and given two.

PYTHONPATH=tests python -m benchmarks.families
"""

import re
import warnings
from collections import defaultdict

import timm
import torch

from fer_perturb.errors import UserError
from fer_perturb.models.build import OWN, build_network, check_network

SIZE = 48
WAYS: dict[str, tuple[bool, dict[str, int]]] = {
    "model.small_input=true": (True, {}),
    "as it is": (False, {}),
    f"+model.kwargs.img_size={SIZE}": (False, {"img_size": SIZE}),
}
SMALL = re.compile("atto|femto|pico|nano|tiny|xxs|_xs|small|mini|_t0|_s0|_b0|_m0|_050|_002|lite|_[st](_|$)|1[018]|26")
CANDIDATES = 8  # of which the one with the fewest parameters stands for its family


def main() -> None:
    warnings.filterwarnings("ignore")
    found: dict[str, list[str]] = defaultdict(list)
    for family in timm.list_modules():
        names = [name for name in timm.list_models(module=family) if not name.startswith("test_")]
        if names and not set(names) <= set(OWN):
            network = smallest(names)
            way = next((way for way in WAYS if takes(network, *WAYS[way])), "none of these")
            found[way].append(f"{family} ({network})")
            print(f"{family} ({network}): {way}", flush=True)
    print(f"\ntimm {timm.__version__}, {sum(map(len, found.values()))} families")
    for way, families in found.items():
        print(f"\n{way}: {len(families)}\n{', '.join(families)}")


def smallest(names: list[str]) -> str:
    candidates = sorted((name for name in names if SMALL.search(name)), key=len) or sorted(names, key=len)
    return min(candidates[:CANDIDATES], key=parameters)


def parameters(name: str) -> float:
    try:
        with torch.device("meta"):
            return sum(parameter.numel() for parameter in timm.create_model(name).parameters())
    except (RuntimeError, NotImplementedError, TypeError, ValueError):
        return float("inf")  # what cannot be built without memory


def takes(name: str, small_input: bool, kwargs: dict[str, int]) -> bool:
    try:
        network = build_network(name, num_classes=7, small_input=small_input, kwargs=kwargs)
        check_network(network, (SIZE, SIZE), small_input=small_input)
    except UserError:
        return False
    return True


if __name__ == "__main__":
    main()

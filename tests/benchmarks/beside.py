"""Two threads that train, alone and beside a busy process, with OpenMP's threads as fer_perturb and as OpenMP has them.

Processes of their own: OpenMP reads how long its threads spin when torch is imported.
"""

import os
import statistics
import subprocess
import sys

from benchmarks.bench import Bench
from benchmarks.measure import Row, Target, take_turns

NETWORKS = ("resnet_tiny", "seresnet_light")
SPINS = "GOMP_SPINCOUNT"
ON_TWO_CORES = """
import os
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
"""
BUSY = f"{ON_TWO_CORES}\nwhile True: pass"
TRAINED = """
import sys, time
import torch
from torch import nn
import fer_perturb.models.build  # the project's networks
import timm
name, seconds = sys.argv[1], float(sys.argv[2])
torch.set_num_threads(2)
torch.manual_seed(0)
network = timm.create_model(name, num_classes=7).to(memory_format=torch.channels_last)
optimizer = torch.optim.AdamW(network.parameters(), fused=True)
images, labels = torch.rand(64, 1, 48, 48), torch.randint(7, (64,))
steps, started = -3, time.perf_counter()  # three to warm up
while steps < 1 or time.perf_counter() - started < seconds:
    if steps == 0:
        started = time.perf_counter()
    loss = nn.functional.cross_entropy(network(images), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    steps += 1
print(64 * steps / (time.perf_counter() - started))
"""


def rows(bench: Bench) -> list[Row]:
    """Images a second, fp32, forward, backward and AdamW."""
    seconds = max(0.05, 8 * bench.scale)
    found = []
    for name in NETWORKS:
        turns = take_turns(
            {
                "ours": lambda name=name: trained(name, seconds, ours=True),
                "usual": lambda name=name: trained(name, seconds, ours=False),
                "ours, beside": lambda name=name: trained(name, seconds, ours=True, busy=True),
                "usual, beside": lambda name=name: trained(name, seconds, ours=False, busy=True),
            },
            bench.rounds,
            warm_up=False,
        ).figures
        own, unit = turns["usual"], "images/s"
        note = f"OpenMP's own beside it: {statistics.median(turns['usual, beside']):,.0f}"
        found += [
            Row(f"beside: {name}, alone", unit, turns["ours"], "OpenMP's own", own, Target("ratio", "at least", 0.97)),
            Row(
                f"beside: {name}, beside a busy process",
                unit,
                turns["ours, beside"],
                "OpenMP's own, alone",
                own,
                Target("ratio", "at least", 0.45),
                note=note,
            ),
        ]
    return found


def trained(name: str, seconds: float, *, ours: bool, busy: bool = False) -> float:
    """Images a second of a process of its own, on two cores; `ours`: fer_perturb is imported before torch."""
    script = ON_TWO_CORES + ("import fer_perturb\n" if ours else "") + TRAINED
    environment = {name: value for name, value in os.environ.items() if name != SPINS}
    beside = subprocess.Popen([sys.executable, "-c", BUSY]) if busy else None
    try:
        command = [sys.executable, "-c", script, name, str(seconds)]
        return float(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)
    finally:
        if beside is not None:
            beside.kill()
            beside.wait()

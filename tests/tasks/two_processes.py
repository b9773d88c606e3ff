"""Commands of fer_perturb.train, that note which masks each process trains with: started by test_two_processes.py.

python two_processes.py NOTES OVERRIDE... -- OVERRIDE... -- ...    a command after the other, each with its own notes
"""

import sys
from itertools import groupby
from pathlib import Path

import torch
from hydra.core.global_hydra import GlobalHydra

from fer_perturb import train
from fer_perturb.tasks.phases.predictor import Predictor

training_step = Predictor.training_step


def note(directory: Path) -> None:
    def noted(self, batch, batch_idx):
        state = self.region_state
        maps = getattr(state, "maps_of", {}).get("train", torch.empty(0)).clone()
        seen = {"cluster_map": state.cluster_map.clone(), "image_maps": maps, "index": batch["index"]}
        torch.save(seen, directory / f"{self.current_epoch}-{batch_idx}-{self.global_rank}.pt")
        return training_step(self, batch, batch_idx)

    Predictor.training_step = noted


if __name__ == "__main__":
    program, notes, *words = sys.argv
    commands = [list(command) for between, command in groupby(words, "--".__eq__) if not between]
    for number, command in enumerate(commands):
        directory = Path(notes, str(number))
        directory.mkdir(parents=True, exist_ok=True)
        note(directory)
        sys.argv = [program, *command]
        GlobalHydra.instance().clear()
        train.main()

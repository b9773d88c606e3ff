"""fer_perturb.train, that notes which masks each process trains with: started twice by test_two_processes.py.

python two_processes.py NOTES OVERRIDE...
"""

import sys
from pathlib import Path

import torch

from fer_perturb import train
from fer_perturb.tasks.predictor import Predictor


def note(directory: Path) -> None:
    step = Predictor.training_step

    def noted(self, batch, batch_idx):
        if self.scheme.masks:
            maps = self.image_maps.get("train", torch.empty(0)).clone()
            seen = {"cluster_map": self.cluster_map.clone(), "image_maps": maps, "index": batch["index"]}
            torch.save(seen, directory / f"{self.current_epoch}-{batch_idx}-{self.global_rank}.pt")
        return step(self, batch, batch_idx)

    Predictor.training_step = noted


if __name__ == "__main__":
    note(Path(sys.argv.pop(1)))
    train.main()

"""Faults of a job, which a callback reads from files: `callbacks=fault`, in the folder where jobs are started."""

from pathlib import Path

FAULTS = '''
import os, signal, time
from pathlib import Path

from pytorch_lightning.callbacks import Callback


class Fault(Callback):
    """In the second epoch what the file <seed> in this folder says."""

    def on_train_epoch_start(self, trainer, task):
        file = Path(f"seed{task.seed}")
        fault = file.read_text() if trainer.current_epoch == 1 and file.exists() else ""
        if fault == "raise":
            raise RuntimeError("a fault of seed 1\\nin two lines")
        if fault == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if fault == "hang":
            file.with_suffix(".pid").write_text(str(os.getpid()))
            while True:
                time.sleep(0.01)
'''


def write_faults(folder: Path, *faults: str) -> None:
    (folder / "conf" / "callbacks").mkdir(parents=True, exist_ok=True)
    (folder / "conf" / "callbacks" / "fault.yaml").write_text("fault: {_target_: faults.Fault}\n")
    (folder / "faults.py").write_text(FAULTS)
    for seed, fault in enumerate(faults):
        (folder / f"seed{seed}").write_text(fault)

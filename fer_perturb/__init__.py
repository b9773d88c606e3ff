"""The Perturb Scheme for facial expression recognition (Cheng Qiu, "Leaving Some Facial Features Behind")."""

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from fer_perturb.prediction.recogniser import Recogniser

if "torch" not in sys.modules:
    # Threads of GNU's OpenMP, which PyTorch comes with on Linux, spin while they wait for each other. Beside another
    # busy process they spin on the core that the one they wait for needs: training is then many times slower. That
    # many turns cost an idle machine little or nothing (docs/machines.md). Others do not read the variable.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")


def load(run: "str | Path") -> "Recogniser":
    """A finished run that judges new faces: `load("outputs/…")("photo.jpg")[0].emotion`.

    run: its directory. Raises UserError (fer_perturb/errors.py) where there is none, or a damaged one.
    """
    from fer_perturb.prediction import recogniser  # here, not above: it imports torch

    return recogniser.load(run)

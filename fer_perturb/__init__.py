"""The Perturb Scheme for facial expression recognition (Cheng Qiu, "Leaving Some Facial Features Behind")."""

import os
import sys

if "torch" not in sys.modules:
    # Threads of GNU's OpenMP, which PyTorch comes with on Linux, spin while they wait for each other. Beside another
    # busy process they spin on the core that the one they wait for needs: training is then many times slower. That
    # many turns cost an idle machine little or nothing (docs/machines.md). Others do not read the variable.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")

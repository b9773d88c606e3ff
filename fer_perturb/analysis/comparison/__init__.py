"""One scheme against another, from what their runs predicted."""

from fer_perturb.analysis.comparison.arm import Arm, Spent, read_arm
from fer_perturb.analysis.comparison.comparison import Comparison, adjusted, compare
from fer_perturb.analysis.comparison.contrast import Contrast
from fer_perturb.analysis.comparison.remembered import compare_runs

__all__ = ["Arm", "Comparison", "Contrast", "Spent", "adjusted", "compare", "compare_runs", "read_arm"]

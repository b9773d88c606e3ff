"""One scheme against another, from what their runs predicted."""

from fer_perturb.analysis.comparison.arm import Arm, Spent, read_arm
from fer_perturb.analysis.comparison.comparison import Comparison, adjusted, compare
from fer_perturb.analysis.comparison.contrast import Contrast

__all__ = ["Arm", "Comparison", "Contrast", "Spent", "adjusted", "compare", "read_arm"]

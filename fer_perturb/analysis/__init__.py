"""What runs show: metrics and summaries, computed from predictions; nothing here trains."""

from fer_perturb.analysis.collected import collect

__all__ = ["collect"]

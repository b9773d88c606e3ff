"""Prepared datasets: their format on disk, and their batches in memory (format.py says what lies where)."""

from fer_perturb.data.packed.load import load_packed
from fer_perturb.data.packed.packed_data import PackedData
from fer_perturb.data.packed.split import RawSplit, Split
from fer_perturb.data.packed.write import write_packed

__all__ = ["PackedData", "RawSplit", "Split", "load_packed", "write_packed"]

"""faiss, where it can be imported."""

from functools import cache
from typing import Any

from fer_perturb.errors import first_line, warn


@cache
def faiss_here() -> Any:
    """The module faiss; None, with a line that says so, where it cannot be imported.

    faiss-gpu raises RuntimeError where the CUDA 12 libraries are missing that pip installs with it.
    """
    try:
        import faiss
    except (ImportError, OSError, RuntimeError) as error:
        warn(
            f"faiss cannot be imported: {first_line(error)} The work goes on without it, from other random starts of "
            "k-means, so that clusters may differ from those made with faiss. To mend it, install this project again: "
            "pip brings what is missing."
        )
        return None
    return faiss

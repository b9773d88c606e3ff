"""summary.json alone, read without what else a run left, and without torch."""

import json
from pathlib import Path
from typing import Any

from fer_perturb.errors import UserError
from fer_perturb.files import unbroken

SUMMARY = "summary.json"
MEND = "The command that trained it mends it."


def sealed_summary(run: Path, what: str) -> dict[str, Any]:
    """The summary in `run`, whose other files are not looked at.

    Raises UserError, naming `what`, where it is damaged, or no run's.
    """
    try:
        summary: dict[str, Any] = json.loads((run / SUMMARY).read_bytes())
        if not unbroken(summary):
            raise ValueError("its checksum differs")
        for phase in summary["phases"].values():
            if phase is not None:
                phase["key"]
    except KeyError as error:
        raise UserError(f"{what}: {SUMMARY} is damaged, or no run's ({error} is missing). {MEND}") from error
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise UserError(f"{what}: {SUMMARY} is damaged ({error}). {MEND}") from error
    return summary

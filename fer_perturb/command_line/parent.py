"""A job of a sweep ends with the process that started it, even where that is killed and can tell nobody."""

import os
import signal
import threading
import time

BOUND = "FER_PERTURB_ENDS_WITH_STDIN"
PATIENCE = 30.0  # seconds in which a job may end cleanly


def bound() -> dict[str, str]:
    """What the environment of a job must have, whose stdin is a pipe that nobody writes to.

    The system closes the pipe when whoever holds its other end has ended, however that was. (Linux alone could send a
    signal then.)
    """
    return {BOUND: "1"}


def end_with_parent() -> None:
    """Ends this process, if it is such a job, when its stdin is closed; so do those that train together with it."""
    if BOUND in os.environ:
        threading.Thread(target=_watch, name="parent", daemon=True).start()


def _watch() -> None:
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(PATIENCE)
    os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))

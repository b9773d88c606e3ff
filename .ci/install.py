"""python .ci/install.py EXTRAS READY [--may-fail]: installs this project into .venv.

Needs only the standard library. Two at once wait for each other; the same command mends what was interrupted.
"""

import fcntl
import shutil
import subprocess
import sys
from pathlib import Path

VENV = Path(".venv")
PYTHON = VENV / "bin" / "python"
OURS = VENV / ".made_here"  # there before anything else of VENV is, which may then be removed
OLDEST, NEWEST = (3, 11), (3, 13)


def main(extras: str, ready: Path, may_fail: bool) -> None:
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        sys.exit(
            f"Python {OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]} is needed, and {sys.executable} is "
            f"{sys.version_info[0]}.{sys.version_info[1]}. Name another: make setup PYTHON=python3.12"
        )
    with Path(".venv.lock").open("w") as lock:  # its holder's death opens it, so none is left behind
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Another make is installing here; waiting for it.", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        usable = works(lock.fileno())
        if usable and ready.is_file() and ready.stat().st_mtime >= Path("pyproject.toml").stat().st_mtime:
            return  # the other one has done it
        install(extras, ready, may_fail, lock.fileno(), usable)


def install(extras: str, ready: Path, may_fail: bool, lock: int, usable: bool) -> None:
    """pip keeps `lock` open, so that it is held as long as pip works, even if this process is killed."""
    told = f"Installing fer_perturb[{extras}] into {VENV}"
    if not usable:
        told += ": PyTorch (on Linux with its CUDA libraries, about 3 GB to download) and the rest; a few minutes"
        make_room()
        VENV.mkdir()
        OURS.touch()
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True, pass_fds=[lock])
    print(f"{told}.", flush=True)
    pip = [PYTHON, "-m", "pip", "install", "--disable-pip-version-check", "--quiet", "--progress-bar", "on"]
    status = subprocess.run([*pip, "-e", f".[{extras}]"], pass_fds=[lock]).returncode
    if status and may_fail:
        print("Not all of it can be installed; what is missing will say so.")
    elif status:
        sys.exit("The installation has not finished. The same command goes on with it.")
    else:
        ready.touch()


def make_room() -> None:
    """Removes a virtual environment that does not work, if it was made here; a person's own is left as it is."""
    removed = VENV.with_name(".venv.removed")
    shutil.rmtree(removed, ignore_errors=True)
    if OURS.exists() and not VENV.is_symlink():
        VENV.rename(removed)  # whole, so that OURS is not missed if this is interrupted
        shutil.rmtree(removed, ignore_errors=True)
    elif VENV.is_symlink() or VENV.exists():
        sys.exit(
            f"{VENV} has no Python {OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]} with a pip that works, and was "
            "not made by this command. Move it out of the way, then run the same command again."
        )


def works(lock: int) -> bool:
    """Whether there is a virtual environment with a Python of a version that is needed, and a whole pip.

    One without any, as `uv venv` makes it, is given the one that Python brings.
    """
    version = ["-c", f"import sys; sys.exit(not {OLDEST} <= sys.version_info[:2] <= {NEWEST})"]
    pip = ["-m", "pip", "install", "--help"]  # takes in all that installing needs

    def succeeds(words: list[str]) -> bool:
        return subprocess.run([PYTHON, *words], capture_output=True, pass_fds=[lock]).returncode == 0

    try:
        return succeeds(version) and (succeeds(pip) or (succeeds(["-m", "ensurepip"]) and succeeds(pip)))
    except OSError:
        return False


if __name__ == "__main__":
    try:
        main(sys.argv[1], Path(sys.argv[2]), "--may-fail" in sys.argv[3:])
    except KeyboardInterrupt:
        sys.exit("\nInterrupted. The same command goes on with it.")
    except subprocess.CalledProcessError as error:
        sys.exit(f"{error} (on Debian and Ubuntu: apt install python3-venv)")

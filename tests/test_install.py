"""`make setup`, with a tiny package in place of this one: whatever happened to it, the same command mends it.

pip is the real one. The package needs nothing and builds itself, so that nothing is downloaded; its build takes as long
as there is a file `hold`. Virtual environments are hard links to one that the real `venv` made, which takes seconds.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 900  # seconds
PROJECT = """
[build-system]
requires = []
build-backend = "build_tiny"
backend-path = ["."]
"""
BUILD = """
import time, zipfile
from pathlib import Path

def build_editable(directory, config_settings=None, metadata_directory=None):
    with Path("builds").open("a") as file:
        file.write("one\\n")
    while Path("hold").exists():
        time.sleep(0.01)
    with zipfile.ZipFile(Path(directory, "tiny-1-py3-none-any.whl"), "w") as wheel:
        wheel.writestr("tiny.py", "")
        extras = "".join(f"Provides-Extra: {name}\\n" for name in ("dev", "maskfer"))
        wheel.writestr("tiny-1.dist-info/METADATA", f"Metadata-Version: 2.1\\nName: tiny\\nVersion: 1\\n{extras}")
        wheel.writestr("tiny-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("tiny-1.dist-info/RECORD", "")
    return "tiny-1-py3-none-any.whl"
"""
VENV = """
import os, shutil, sys
shutil.copytree(os.environ["MADE"], sys.argv[1], symlinks=True, copy_function=os.link, dirs_exist_ok=True)
"""


class Checkout:
    """A folder in which `make setup` installs the tiny package; `made` is what virtual environments are copies of."""

    def __init__(self, root: Path, made: Path | None) -> None:
        self.root, self.made = root, made
        (root / ".ci").mkdir()
        for name in ("Makefile", ".ci/install.py"):
            shutil.copy(ROOT / name, root / name)
        (root / "pyproject.toml").write_text(PROJECT)
        (root / "build_tiny.py").write_text(BUILD)
        (root / "instead").mkdir()
        (root / "instead" / "venv.py").write_text(VENV)

    def start(self) -> subprocess.Popen[str]:
        """In a session of its own, so that it can be interrupted as Ctrl-C does it: make, python and pip at once."""
        offline = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS", "PYTHON"))}
        if self.made:
            offline |= {"MADE": str(self.made), "PYTHONPATH": str(self.root / "instead")}
        return subprocess.Popen(
            ["make", "setup", f"PYTHON={sys.executable}"],
            cwd=self.root, env={**offline, "PIP_NO_INDEX": "1"}, text=True, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # which is ignored in the background
        )  # fmt: skip

    def setup(self) -> str:
        """What one `make setup` prints, which must end well and leave what it is for."""
        return self.finished(self.start())

    def finished(self, process: subprocess.Popen[str]) -> str:
        out, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, out
        assert "Traceback" not in out
        subprocess.run([self.root / ".venv/bin/python", "-c", "import tiny"], check=True)
        return out

    @property
    def builds(self) -> int:
        file = self.root / "builds"
        return len(file.read_text().split()) if file.exists() else 0

    def wait_for_build(self, number: int) -> None:
        deadline = time.monotonic() + PATIENCE
        while self.builds < number:
            assert time.monotonic() < deadline
            time.sleep(0.01)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with pip."""
    folder = tmp_path_factory.mktemp("made") / "venv"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    return folder


@pytest.fixture
def checkout(tmp_path: Path, made: Path) -> Checkout:
    return Checkout(tmp_path, made)


def test_two_at_once_one_of_which_is_interrupted(checkout: Checkout) -> None:
    (checkout.root / "hold").touch()
    first = checkout.start()
    checkout.wait_for_build(1)
    second, third = checkout.start(), checkout.start()
    for other in (second, third):
        assert other.stdout is not None
        assert other.stdout.readline() == "Another make is installing here; waiting for it.\n"
    os.killpg(first.pid, signal.SIGINT)
    out, _ = first.communicate(timeout=PATIENCE)
    assert first.returncode != 0
    assert "Interrupted. The same command goes on with it." in out
    assert "Traceback" not in out
    checkout.wait_for_build(2)  # one of the others has taken over
    (checkout.root / "hold").unlink()
    for other in (second, third):
        checkout.finished(other)
    assert checkout.builds == 2
    assert "Installing" not in checkout.setup()  # nothing is left to do
    assert checkout.builds == 2


def test_killed_while_pip_works(checkout: Checkout) -> None:
    """pip, which is not killed with it, goes on; another one waits for it."""
    (checkout.root / "hold").touch()
    first = checkout.start()
    checkout.wait_for_build(1)
    (installer,) = children(first.pid)
    os.kill(installer, signal.SIGKILL)
    second = checkout.start()
    assert second.stdout is not None
    assert second.stdout.readline() == "Another make is installing here; waiting for it.\n"
    assert checkout.builds == 1
    (checkout.root / "hold").unlink()
    checkout.finished(second)
    assert checkout.builds == 2
    first.communicate(timeout=PATIENCE)


def test_a_broken_environment(checkout: Checkout) -> None:
    checkout.setup()
    venv = checkout.root / ".venv"
    for name in ("python", "python3", f"python3.{sys.version_info[1]}"):  # the system's has been replaced
        (venv / "bin" / name).unlink()
        (venv / "bin" / name).symlink_to("/nowhere/python")
    assert "Installing fer_perturb" in checkout.setup()
    (venv / ".ready").unlink()
    (half,) = venv.glob("lib/python3.*/site-packages/pip/_internal/resolution")
    shutil.rmtree(half)  # as when making it was interrupted
    assert "Installing fer_perturb" in checkout.setup()


def test_an_environment_of_one_s_own_without_pip_is_given_it_and_kept(checkout: Checkout) -> None:
    """As `uv venv` makes it."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", checkout.root / ".venv"], check=True)
    (checkout.root / ".venv" / "mine").touch()
    checkout.setup()
    assert (checkout.root / ".venv" / "mine").exists()


def test_one_s_own_that_cannot_be_used_is_left_as_it_is(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path, None)
    python = checkout.root / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to("/nowhere/python")
    refused = checkout.start()
    out, _ = refused.communicate(timeout=PATIENCE)
    assert refused.returncode != 0
    assert "Move it out of the way, then run the same command again." in out
    assert "Traceback" not in out
    assert python.is_symlink()
    (checkout.root / ".venv").rename(checkout.root / "mine")
    checkout.setup()


def children(of: int) -> list[int]:
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(of)], capture_output=True, text=True)
    return [int(word) for word in listed.stdout.split()]

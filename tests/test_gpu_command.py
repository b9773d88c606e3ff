"""make gpu, rehearsed: which steps are done, done again, left out and failed, and what the page says of them."""

import json
from pathlib import Path

import pytest
from benchmarks import gpu

from fer_perturb.errors import UserError


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was called; the steps themselves stand in for an hour of a GPU."""
    called: list[str] = []

    def fails(at: gpu.Place) -> dict:
        called.append("paper")
        raise UserError("no memory is left")

    def works(at: gpu.Place) -> dict:
        called.append("tests")
        return {"passed": True, "share": 0.123456, "private_test": {"ten": 0.731}, "printed": "much"}

    monkeypatch.setattr(gpu, "STEPS", {"tests": works, "paper": fails})
    return called


def rehearse(out: Path, *words: str) -> None:
    gpu.main(["--device", "cpu", "--scale", "0.001", "--out", str(out), *words])


def test_each_step_is_written_at_once_and_not_done_again(tmp_path: Path, steps: list[str]) -> None:
    (tmp_path / "gpu.md").write_text(f"# By hand\n\n{gpu.BEGIN}\nnothing yet\n{gpu.END}\n\nby hand too\n")
    rehearse(tmp_path)
    found = json.loads((tmp_path / "gpu.json").read_text())["steps"]
    assert (found["tests"]["passed"], found["paper"]["failed"]) == (True, "no memory is left")
    page = (tmp_path / "gpu.md").read_text()
    assert page.startswith("# By hand\n")
    assert page.endswith("\n\nby hand too\n")
    assert "passed: True; share: 0.1235; private_test: ten 0.731 |" in page
    assert "no memory is left" in page
    assert "nothing yet" not in page
    rehearse(tmp_path)
    assert steps == ["tests", "paper", "paper"]  # what has failed is tried again
    rehearse(tmp_path, "--again", "--steps", "tests")
    assert steps == ["tests", "paper", "paper", "tests"]


def test_without_a_gpu_it_says_how_to_rehearse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(UserError, match="--device cpu --scale"):
        gpu.main(["--out", str(tmp_path)])


def test_without_fer2013_what_needs_it_is_left_out(tmp_path: Path, steps: list[str]) -> None:
    gpu.main(["--device", "cpu", "--out", str(tmp_path), "--data", str(tmp_path / "none")])
    assert steps == ["tests"]


def test_what_a_call_prints_is_shown_and_its_failure_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert gpu.call("-c", "print('hello')").stdout == "hello\n"
    assert "hello" in capsys.readouterr().out
    with pytest.raises(UserError, match=r"ended with status 3: bye"):
        gpu.call("-c", "import sys; print('bye'); sys.exit(3)")

import weakref

import pytest
from composing import small

from fer_perturb.experiment.experiment import open_experiment
from fer_perturb.runs.phase_cache import content_key, link_into, run_phase
from fer_perturb.tasks.chain import Chain


def test_the_same_content_is_found_again(tmp_path):
    calls = []

    def work(directory):
        calls.append(directory)
        (directory / "weights").write_text("w")
        return {"seconds": 1.5}

    first = run_phase(tmp_path, "attention", "Phase 1", {"a": 1}, work)
    again = run_phase(tmp_path, "attention", "Phase 1", {"a": 1}, work)
    other = run_phase(tmp_path, "attention", "Phase 1", {"a": 2}, work)
    assert len(calls) == 2
    assert (first.cached, again.cached, other.cached) == (False, True, False)
    assert first.record == again.record == {"seconds": 1.5}
    assert (again.directory / "weights").read_text() == "w"
    assert again.summary == {"key": first.key, "cached": True, "seconds": 1.5}


def test_an_interrupted_phase_goes_on_with_its_files(tmp_path):
    def breaks(directory):
        (directory / "checkpoint").write_text("half")
        raise RuntimeError("stopped")

    def goes_on(directory):
        return {"found": (directory / "checkpoint").read_text()}

    with pytest.raises(RuntimeError):
        run_phase(tmp_path, "predictor", "Phase 3", {"a": 1}, breaks)
    result = run_phase(tmp_path, "predictor", "Phase 3", {"a": 1}, goes_on)
    assert not result.cached
    assert result.record == {"found": "half"}


def test_the_key_does_not_depend_on_the_order_of_keys():
    assert content_key({"a": 1, "b": [2]}) == content_key({"b": [2], "a": 1})
    assert content_key({"a": 1}) != content_key({"a": 1.5})


def test_a_run_stands_alone(tmp_path):
    def work(directory):
        (directory / "predictions").mkdir()
        (directory / "predictions" / "x.parquet").write_text("p")
        return {}

    result = run_phase(tmp_path / "cache", "predictor", "Phase 3", {}, work)
    link_into(result, tmp_path / "run")
    for file in result.directory.rglob("*.parquet"):
        file.unlink()
    assert (tmp_path / "run" / "predictions" / "x.parquet").read_text() == "p"


def test_a_finished_phase_is_forgotten(data_directory, tmp_path):
    """Its trainer, task and optimiser do not lie in memory beside the next phase's."""
    config = small(data_directory, tmp_path, "scheme=perturb")
    seen = []
    chain = Chain(open_experiment(config), lambda phase: seen.append(weakref.ref(phase.task)))
    chain.attention.finish()
    assert [task() for task in seen] == [None]

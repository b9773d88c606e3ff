"""An experiment is named after what it does."""

from pathlib import Path

from composing import small

from fer_perturb.experiment.experiment import open_experiment


def test_a_baseline_is_one_run_whatever_it_is_swept_with(data_directory: Path, tmp_path: Path) -> None:
    """In its folder's name, and in what config.yaml says of it."""
    swept = ([], ["scheme/views=sample"], ["scheme/attention=grey_values", "scheme/views=all"])
    found = [open_experiment(small(data_directory, tmp_path, "scheme=baseline", *words)) for words in swept]
    assert len({experiment.directory for experiment in found}) == 1
    assert all(experiment.settings == found[0].settings for experiment in found)
    perturb = [open_experiment(small(data_directory, tmp_path, *words)).directory for words in swept[:2]]
    assert perturb[0] != perturb[1]

"""python -m fer_perturb.evaluate: a trained run on any dataset, and under any run's maps."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from fer_perturb.command_line.entry_point import entry_point
from fer_perturb.errors import UserError

AGAIN = "+again"  # the end of the name where the run has predictions of its own, which its summary stands for


def evaluate(config: DictConfig) -> Path:
    """Tests what `config` (conf/evaluate.yaml, composed) describes; the file of its predictions.

    An ensemble's are the means of its members', each of which is tested for itself.
    """
    # here, not above, so that --help is fast
    from fer_perturb.analysis.ensemble import members_of, write_mean

    if config.run is None:
        raise UserError("run= is missing: expected the directory of a finished run, run=outputs/…")
    run = Path(str(config.run))
    members = members_of(run)
    if not members:
        return evaluate_one(run, config)
    files = [evaluate_one(member, config) for member in members]
    path = run / "predictions" / files[0].name
    write_mean(files, path)
    return path


def evaluate_one(directory: Path, config: DictConfig) -> Path:
    """The same for one trained network, the run in `directory`."""
    from fer_perturb.data.packed import load_packed
    from fer_perturb.data.variant import unplaced, variant_of
    from fer_perturb.experiment.experiment import require_landmarks
    from fer_perturb.experiment.other_datasets import matched
    from fer_perturb.runs.phase_cache import content_key
    from fer_perturb.tasks.phases.predictor import Predictor
    from fer_perturb.tasks.trained_run import load_run, with_views_of
    from fer_perturb.tasks.training.trainer import make_trainer
    from fer_perturb.tasks.training.write_predictions import predict, write_predictions

    place: Any = OmegaConf.to_container(config, resolve=True)
    run = load_run(directory, place, "run")
    experiment = run.experiment
    task, views = run.predictor, ""
    if config.views_from is not None:
        other = load_run(Path(str(config.views_from)), place, "views_from")
        task, views = with_views_of(run, other), f"+views_from@{other.name}"
    data = experiment.data
    if config.get("dataset"):
        asked, own = unplaced(config.dataset), unplaced(experiment.settings["dataset"])
        if asked != own:
            raise UserError(
                f"dataset.unplaced={asked}: {run.directory} was trained and tested with {own}; expected the same, "
                "as its predictions are compared image by image."
            )
        place_of = Path(config.paths.data, str(config.dataset.name))
        prepared = load_packed(place_of, config.dataset.kind)  # nothing is drawn in its place
        data = variant_of(prepared, config.dataset)
        data = matched(data, experiment.data, f"dataset={data.name}")
    if isinstance(task, Predictor):
        require_landmarks(task.scheme, data)
    tested_on = run.summary.get("tested_on", {})
    if not views and tested_on.get(data.name, key := content_key(experiment.sees(data))) != key:
        raise UserError(
            f"dataset={data.name}: the run was tested on other data of that name, which its summary tells of; expected "
            "those, or another dataset.name. Train the run again to test it on these."
        )
    trainer = make_trainer(run.chain.run.alone, experiment.recipe, run.directory, None)
    own_ones = {run.summary["dataset"], *run.summary.get("test_on", {})}
    name = f"{data.name}{views or (AGAIN if data.name in own_ones else '')}"
    path = run.directory / "predictions" / f"{name}.parquet"
    write_predictions(path, data, predict(task, data, trainer), experiment.recipe.tta)
    return path


def report(files: list[Path], config: DictConfig) -> None:
    """Prints what the predictions score on the test split."""
    from fer_perturb.report.run_table import print_predictions

    print_predictions(files)


main = entry_point("evaluate", evaluate, report)

if __name__ == "__main__":
    main()

"""python -m fer_perturb.look: where a trained run's network looks, whether it matters, and what its clusters are."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from fer_perturb.command_line.entry_point import entry_point
from fer_perturb.errors import UserError, warn

if TYPE_CHECKING:
    from fer_perturb.saliency.measured import Measured


def look(config: DictConfig) -> list[Path]:
    """Looks at the runs that `config` (conf/look.yaml, composed) names; the pages that tell what was seen.

    Of several runs those that cannot be looked at are told, and left out. Raises UserError where none can.
    """
    if config.run is None:
        raise UserError("run= is missing: expected the directory of a finished run, or a folder of them, run=outputs/…")
    if int(config.images) < 1:
        raise UserError(f"images={config.images}: expected at least one face.")
    # here, not above, so that --help is fast
    from fer_perturb.report.saliency.pages import write_comparisons, write_page
    from fer_perturb.runs.found_runs import find_runs
    from fer_perturb.runs.summary_file import SUMMARY

    place = Path(str(config.run))
    runs = [place] if (place / SUMMARY).is_file() else find_runs(place).finished
    if not runs:
        raise UserError(f"run={place} holds no finished run: expected the directory of one, or of several.")
    found: list[Measured] = []
    pages: list[Path] = []
    for run in runs:
        try:
            measured, folder = look_at(run, config)
        except UserError as error:
            if len(runs) == 1:
                raise
            warn(f"{run} is left out. {error}")
            continue
        found.append(measured)
        pages.append(write_page(measured, folder, pictures=bool(config.pictures)))
    if not found:
        raise UserError(f"run={place}: none of its {len(runs)} runs can be looked at.")
    return pages + write_comparisons(found, Path(config.out), pictures=bool(config.pictures))


def look_at(directory: Path, config: DictConfig) -> "tuple[Measured, Path]":
    """The same for one run; what was measured, and the folder in which it lies."""
    from tqdm import tqdm

    from fer_perturb.data.packed import load_packed
    from fer_perturb.data.variant import variant_of
    from fer_perturb.experiment.other_datasets import matched
    from fer_perturb.saliency.measured import FOLDER, write_measured
    from fer_perturb.saliency.measuring import measure
    from fer_perturb.tasks.trained_run import load_run

    settings: Any = OmegaConf.to_container(config, resolve=True)
    run = load_run(directory, settings, "run")
    run.predictor.to(run.chain.run.trainer.strategy.root_device)
    data = run.experiment.data
    if config.get("dataset"):
        prepared = load_packed(Path(config.paths.data, str(config.dataset.name)), config.dataset.kind)
        data = variant_of(prepared, config.dataset)
        data = matched(data, run.experiment.data, f"dataset={data.name}")
    quiet = not config.trainer.enable_progress_bar
    measured = measure(run, data, int(config.images), lambda of, title: tqdm(of, title, leave=False, disable=quiet))
    folder = directory / FOLDER / data.name
    write_measured(measured, folder)
    return measured, folder


def report(found: list[list[Path]], config: DictConfig) -> None:
    """Says where the pages lie."""
    for pages in found:
        for page in pages:
            print(f"Written to {page}")


main = entry_point("look", look, report)

if __name__ == "__main__":
    main()

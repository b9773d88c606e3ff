"""python -m results.exploration: short runs that look for a better form of the scheme, judged on PublicTest alone.

Docs/protocol.md says what may be tried. Runs that are not yet in explore.csv are trained, one after another; the same
command again goes on where it was stopped. PrivateTest, on which `train` tests each run, is not read here.
"""

import argparse
import csv
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from omegaconf import OmegaConf

from fer_perturb.errors import UserError, say
from fer_perturb.experiment.experiment import resolved, run_directory
from fer_perturb.files import write_text
from results.plan import PILOT, SAMPLE
from results.record import phase_of, read_rows
from results.study import HERE, Study, composed

NETWORK = "seresnet_light"
SEEDS = (PILOT, PILOT + 1)
REGIONS, VIEWS = "scheme.regions.", "scheme.views."
PERTURB = ("scheme=perturb", *SAMPLE)
IMAGE = ("scheme=perturb_image", *SAMPLE)
HALF_WHOLE = f"{VIEWS}clean_share=0.5"
SHORT = ("scheme.attention.epochs=1", "recipe.epochs=7")  # phase 1 costs an eighth: as many operations as baseline_2x

# name -> the overrides that make it out of `recipe=study`
SETTINGS = {
    "baseline": ("scheme=baseline",),
    "baseline_2x": ("scheme=baseline", "recipe.epochs=8"),
    "perturb": PERTURB,
    "top15": (*PERTURB, f"{REGIONS}top_share=0.15"),
    "top30": (*PERTURB, f"{REGIONS}top_share=0.3"),
    "top50": (*PERTURB, f"{REGIONS}top_share=0.5"),
    "whole50": (*PERTURB, HALF_WHOLE),
    "whole75": (*PERTURB, f"{VIEWS}clean_share=0.75"),
    "whole90": (*PERTURB, f"{VIEWS}clean_share=0.9"),
    "alpha3": (*PERTURB, f"{REGIONS}attention_weight=3"),
    "alpha10": (*PERTURB, f"{REGIONS}attention_weight=10"),
    "clusters2": (*PERTURB, f"{REGIONS}n_clusters=2"),
    "clusters5": (*PERTURB, f"{REGIONS}n_clusters=5"),
    "clusters8": (*PERTURB, f"{REGIONS}n_clusters=8"),
    "mean": (*PERTURB, f"{VIEWS}fill=mean"),
    "image": IMAGE,
    "dataset": (*PERTURB, "scheme/regions=dataset"),
    "bn": (*PERTURB, "scheme.reestimate_bn=true"),
    "top30_whole50": (*PERTURB, f"{REGIONS}top_share=0.3", HALF_WHOLE),
    "top15_whole50": (*PERTURB, f"{REGIONS}top_share=0.15", HALF_WHOLE),
    "image_whole50": (*IMAGE, HALF_WHOLE),
    "clusters8_whole50": (*PERTURB, f"{REGIONS}n_clusters=8", HALF_WHOLE),
    "mean_whole50": (*PERTURB, f"{VIEWS}fill=mean", HALF_WHOLE),
    "position8_whole50": ("scheme=position_only", *SAMPLE, f"{REGIONS}n_clusters=8", HALF_WHOLE),
    "erasing_whole50": ("scheme=extra_erasing", *SAMPLE, HALF_WHOLE),
    "short_top15_whole50": (*PERTURB, *SHORT, f"{REGIONS}top_share=0.15", HALF_WHOLE),
    "short_top15_whole75": (*PERTURB, *SHORT, f"{REGIONS}top_share=0.15", f"{VIEWS}clean_share=0.75"),
    "short_top15_whole90": (*PERTURB, *SHORT, f"{REGIONS}top_share=0.15", f"{VIEWS}clean_share=0.9"),
}
LIMIT = 60  # runs in all
IDENTITY = ("setting", "seed")
COLUMNS = (
    *IDENTITY,
    *("epochs", "attention_epochs", "best_epoch", "pflop", "public_accuracy", "public_balanced_accuracy"),
    *("precision", "device", "commit", "overrides"),
)


def row_of(setting: str, directory: Path, device: str) -> dict[str, Any]:
    """What explore.csv keeps of a finished run: nothing that was read on PrivateTest."""
    config = OmegaConf.load(directory / "config.yaml")
    predictor, attention = phase_of(directory, "predictor"), phase_of(directory, "attention")
    return {
        "setting": setting,
        "seed": config.seed,
        "epochs": predictor["epochs"],
        "attention_epochs": attention.get("epochs", 0),
        "best_epoch": predictor["best_epoch"],
        "pflop": round((predictor["flops"] + attention.get("flops", 0)) / 1e15, 4),
        "public_accuracy": round(predictor["val"]["accuracy"], 6),
        "public_balanced_accuracy": round(predictor["val"]["balanced_accuracy"], 6),
        "precision": config.recipe.precision,
        "device": device,
        "commit": predictor["commit"],
        "overrides": " ".join(SETTINGS[setting]),
    }


def hidden_share(row: dict[str, str]) -> float:
    """The share of all training pixels that was hidden, by a row's settings: an n-th of `top_share` of each image that
    is not shown whole."""
    words = dict(word.split("=", 1) for word in row["overrides"].split())
    if words["scheme"] == "baseline":
        return 0.0
    n = int(words.get(f"{REGIONS}n_clusters", 3))
    whole = float(words.get(f"{VIEWS}clean_share", 1 / (n + 1)))
    return (1 - whole) * float(words.get(f"{REGIONS}top_share", 1.0)) / n


def add(path: Path, row: dict[str, Any]) -> None:
    """Adds a row to the csv, sorted by SETTINGS and seed."""
    rows = [*read_rows(path), {key: str(value) for key, value in row.items()}]
    places = [*SETTINGS]
    rows.sort(key=lambda row: (places.index(row["setting"]), int(row["seed"])))
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def table(path: Path) -> str:
    """The settings by their accuracy on PublicTest, as Markdown: the mean over the seeds that were run."""
    found: dict[str, list[dict[str, str]]] = {}
    for row in read_rows(path):
        found.setdefault(row["setting"], []).append(row)
    lines = [
        "| setting | what differs | epochs (phase 1) | PFLOP | seeds | PublicTest, % | balanced, % |",
        "|" + "---|" * 7,
    ]

    def score(rows: Sequence[dict[str, str]], key: str = "public_accuracy") -> float:
        return 100 * mean(float(row[key]) for row in rows)

    for setting, rows in sorted(found.items(), key=lambda pair: -score(pair[1])):
        one = rows[0]
        differs = " ".join(f"`{word}`" for word in one["overrides"].split() if word not in SAMPLE)
        lines.append(
            f"| {setting} | {differs} | {one['epochs']} ({one['attention_epochs']}) | {float(one['pflop']):.3f} "
            f"| {len(rows)} | {score(rows):.1f} | {score(rows, 'public_balanced_accuracy'):.1f} |"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m results.exploration", description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("data"), help="the packed data")
    parser.add_argument("--outputs", type=Path, default=Path("outputs"), help="where runs go")
    parser.add_argument("--to", type=Path, default=HERE, help="where explore.csv goes")
    parser.add_argument("--settings", nargs="+", default=list(SETTINGS), help=f"some of {', '.join(SETTINGS)}")
    parser.add_argument("--table", action="store_true", help="print what there is, and run nothing")
    given = parser.parse_args(arguments)
    path: Path = given.to / "explore.csv"
    if given.table:
        print(table(path))
        return
    if unknown := [name for name in given.settings if name not in SETTINGS]:
        raise UserError(f"--settings {' '.join(unknown)}: expected some of {', '.join(SETTINGS)}.")
    study = Study(given.data.resolve(), given.outputs.resolve(), given.to.resolve())
    for seed in SEEDS:
        for setting in given.settings:
            kept = read_rows(path)
            if any((row["setting"], row["seed"]) == (setting, str(seed)) for row in kept):
                continue
            if len(kept) >= LIMIT:
                raise UserError(f"{path} holds {len(kept)} runs: docs/protocol.md allows {LIMIT}.")
            words = ["recipe=study", f"model={NETWORK}", *SETTINGS[setting], f"seed={seed}", "logger=csv", *study.paths]
            say(f"{setting}, seed {seed}")
            study.call("train", *words, "trainer.enable_progress_bar=false")
            add(path, row_of(setting, run_directory(resolved(composed(words))), study.device))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except UserError as error:
        sys.exit(f"Error: {error}")
    except KeyboardInterrupt:
        sys.exit("\nStopped. The same command goes on where this one was.")

"""python -m results.page: every table and figure of the study, from this folder alone."""

import argparse
import sys
from pathlib import Path

from fer_perturb.errors import UserError
from fer_perturb.files import write_text
from fer_perturb.report.figures import save_figure
from results.contrasts import HYPOTHESES, Results
from results.emotions import by_emotion
from results.exploration import table as explored
from results.figure import forest, hidden
from results.plan import NETWORKS
from results.record import METRICS, read_rows
from results.tables import costs, hypothesis, machines, scores, verdicts

HERE = Path(__file__).resolve().parent
DOCS = HERE.parent / "docs"
TITLE = """# Tables of the study

Made by `python -m results.page` from `results/` alone. [Results](results.md) tells what they mean, the
[protocol](protocol.md) how they came about. Differences are in points, of two arms with the same seeds."""


def page(folder: Path) -> str:
    """All tables, as Markdown. Raises UserError where there is no run yet."""
    results = Results(folder)
    if not results.rows:
        raise UserError(f"{folder / 'confirm.csv'} has no run of the study yet: python -m results.study")
    parts = [TITLE, f"{len(results.rows)} runs. {machines(results)}"]
    for network in NETWORKS:
        if not any(run.network == network for run in results.rows):
            continue
        parts.append(f"## {network}")
        told = verdicts(results, network)
        for name in HYPOTHESES:
            primary = "Verdict" if network == NETWORKS[0] else "On this network it would be"
            parts += [f"### {name}", f"{primary}: **{told[name]}**", "\n".join(hypothesis(results, name, network))]
        if lines := by_emotion(results, network):
            parts += ["### Perturb less the baseline by emotion, share recognised, over the views", "\n".join(lines)]
        for metric in METRICS[:2]:
            title = metric.replace("_", " ").capitalize()
            parts += [f"### {title}, %, mean and deviation over seeds", "\n".join(scores(results, network, metric))]
        parts += ["### What it took", "\n".join(costs(results, network))]
    if (folder / "explore.csv").is_file():
        parts += ["## Exploration, on PublicTest", explored(folder / "explore.csv")]
    return "\n\n".join(parts) + "\n"


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m results.page", description=__doc__)
    parser.add_argument("--of", type=Path, default=HERE, help="the folder of confirm.csv")
    parser.add_argument("--to", type=Path, default=DOCS, help="the folder for study_tables.md and the figures")
    given = parser.parse_args(arguments)
    write_text(given.to / "study_tables.md", page(given.of))
    save_figure(forest(Results(given.of)), given.to / "answer.png")
    if explored_rows := read_rows(given.of / "explore.csv"):
        save_figure(hidden(explored_rows), given.to / "hidden_share.png")
    print(f"{given.to}: study_tables.md, answer.png, hidden_share.png")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except UserError as error:
        sys.exit(f"Error: {error}")

"""The study's differences with their intervals, as a picture for the README."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fer_perturb.analysis.statistics import OverSeeds
from results.contrasts import BALANCED, MARGIN, OCCLUDED, WHOLE_VIEWS, Contrast, Results
from results.exploration import VIEWS, hidden_share
from results.plan import ATTENTION

HIDDEN_THERE = {
    "maskfer": "masks put on",
    "mouth": "mouth hidden",
    "eyes": "eyes hidden",
    "upper": "upper half hidden",
    "lower": "lower half hidden",
}
# what a reader asks, in the order of the answers; the first of each is a primary contrast
QUESTIONS = {
    "Perturb less the baseline": (
        Contrast("equal operations, over the views (H1)", "perturb", "baseline_2x", WHOLE_VIEWS),
        Contrast("equal operations, image alone", "perturb", "baseline_2x"),
        Contrast("equal epochs, over the views", "perturb", "baseline", WHOLE_VIEWS),
        Contrast("equal epochs, image alone", "perturb", "baseline"),
        Contrast("all views, equal passes, over the views", "perturb_all", "baseline_2x", WHOLE_VIEWS),
    ),
    "the same, faces with something hidden": (
        Contrast("mean of five occlusions, over the views (H2)", "perturb", "baseline_2x", WHOLE_VIEWS, OCCLUDED),
        *(Contrast(told, "perturb", "baseline_2x", WHOLE_VIEWS, (name,)) for name, told in HIDDEN_THERE.items()),
    ),
    "Perturb less its controls, image alone": (
        Contrast("clusters by position, equal operations (H3)", "perturb", "position_only_2x"),
        Contrast("clusters by position, equal epochs", "perturb", "position_only"),
        Contrast("its own maps upside down", "perturb", "moved_maps"),
        Contrast("random rectangles", "perturb", "extra_erasing"),
        Contrast("its phase 1", "perturb", ATTENTION),
    ),
}
KINDS = {
    "nothing hidden": "#000000",
    "clusters by position and attention, black": "#4477aa",
    "clusters by position alone, black": "#228833",
    "clusters, mean grey": "#ccbb44",
    "random rectangles, black": "#ee6677",
}
COLOURS = {"seresnet_light": "#4477aa", "vgg16_small": "#ee6677"}


def forest(results: Results) -> Figure:
    """A row a contrast: the mean over seeds of the difference in balanced accuracy, and its 95 % interval."""
    heights = [len(rows) for rows in QUESTIONS.values()]
    figure = Figure(figsize=(8.5, 0.3 * sum(heights) + 1.9), layout="constrained")
    axes = figure.subplots(len(QUESTIONS), 1, sharex=True, height_ratios=heights)
    for axis, (question, rows) in zip(axes, QUESTIONS.items(), strict=True):
        _panel(axis, results, question, rows)
    axes[-1].set_xlabel("points of balanced accuracy on PrivateTest, 95 % interval over seeds")
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper right", ncols=len(COLOURS), frameon=False, fontsize=9)
    return figure


def hidden(rows: list[dict[str, str]]) -> Figure:
    """Accuracy on PublicTest against how much was hidden: the exploration's rows of as many epochs as `baseline`."""
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axis = figure.subplots()
    epochs = next(row["epochs"] for row in rows if row["setting"] == "baseline")
    for kind, colour in KINDS.items():
        chosen = [row for row in rows if row["epochs"] == epochs and _kind(row) == kind]
        shares = [100 * hidden_share(row) for row in chosen]
        axis.scatter(shares, [100 * float(row["public_accuracy"]) for row in chosen], s=22, color=colour, label=kind)
    axis.set_xlabel("share of the training pixels that was hidden, %")
    axis.set_ylabel(f"PublicTest after {epochs} epochs, %")
    axis.legend(frameon=False, fontsize=9)
    axis.spines[["top", "right"]].set_visible(False)
    axis.grid(color="0.9", linewidth=0.6)
    axis.set_axisbelow(True)
    return figure


def _kind(row: dict[str, str]) -> str:
    words = row["overrides"].split()
    named = {"scheme=baseline": "nothing hidden", "scheme=extra_erasing": "random rectangles, black"}
    named |= {"scheme=position_only": "clusters by position alone, black", f"{VIEWS}fill=mean": "clusters, mean grey"}
    return next((told for word, told in named.items() if word in words), "clusters by position and attention, black")


def _panel(axis: Axes, results: Results, question: str, rows: tuple[Contrast, ...]) -> None:
    axis.axvspan(-MARGIN, MARGIN, color="0.92", zorder=0)
    axis.axvline(0, color="0.4", linewidth=0.8, zorder=1)
    for shift, (network, colour) in zip((-0.14, 0.14), COLOURS.items(), strict=True):
        for place, contrast in enumerate(rows):
            if not (pairs := results.pairs(contrast, network, BALANCED)):
                continue
            of = OverSeeds.of(pairs)
            reach = max(of.interval()[1] - of.mean, 0) if of.n > 1 else 0
            name = network if place == 0 else None
            axis.errorbar(of.mean, place + shift, xerr=reach, fmt="o", color=colour, markersize=4, label=name)
    axis.set_yticks(range(len(rows)), [contrast.what for contrast in rows], fontsize=9)
    axis.set_ylim(len(rows) - 0.5, -0.5)
    axis.set_title(question, loc="left", fontsize=10, fontweight="bold")
    axis.spines[["top", "right", "left"]].set_visible(False)
    axis.tick_params(axis="y", length=0)
    axis.grid(axis="x", color="0.9", linewidth=0.6)
    axis.set_axisbelow(True)

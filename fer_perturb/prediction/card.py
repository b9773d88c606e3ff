"""What must be known of an exported model (Mitchell et al. 2019, Model Cards), as a page beside it."""

from pathlib import Path
from typing import Any

from fer_perturb.files import write_text
from fer_perturb.prediction.portable import Portable

OF_FER2013 = """\
- **Labels are guesses.** FER2013's labels say what strangers' faces seem to express, and many are wrong: ten other
  people agree with two thirds of them.
- **Groups are unequal.** Ages, genders, skin tones and cultures are unequally represented, and nobody recorded how.
  Disgust has 436 of 28,709 training images. The score says nothing about a group, let alone a person.
"""
OF_DRAWN_FACES = """\
- **Drawn faces are drawn.** What holds on them shows how a method behaves, not how people do. This model is not for
  photographs.
"""
OF_OTHERS = """\
- **Labels are what somebody gave.** The score says how well the network repeats them on pictures like those, and
  nothing about a group of people.
"""
OF_ALL = """\
- **It tells no feelings.** It says which label people would have given to a picture, not what anyone feels.
- **A probability is no certainty.** The shares were not calibrated, and stand for pictures like those it learned from.
  Other cameras, crops, ages or poses are another matter.
- **One seed is one seed.** Differences of a point or two between single runs are within what the seed alone changes.
- **The law restricts it.** Inferring emotions from faces is restricted in places. In the European Union it is
  prohibited at work and in schools, with narrow exceptions. It is for research on recognition methods, not for judging
  people.
"""
LIMITS = {"fer2013": OF_FER2013, "maskfer": OF_FER2013, "synthetic": OF_DRAWN_FACES, "planted": OF_DRAWN_FACES}


def model_card(run: Portable, file: Path) -> Path:
    """Writes the card of the model in `file` beside it, as <file>.md; the card's file."""
    card = file.with_name(f"{file.name}.md")
    write_text(card, card_text(run, file.name))
    return card


def card_text(run: Portable, name: str) -> str:
    """The card of the model `name`, as Markdown."""
    summary, dataset, recipe = run.summary, run.settings["dataset"], run.settings["recipe"]
    height, width = run.image_size
    clean = ", without twins across splits and constant images" if dataset.get("clean") else ""
    judged = "the mean of the logits over its views" if summary["inference"] == "views" else "the image alone"
    hidden = "nothing" if run.settings["scheme"].get("regions") is None else "regions of each face, in training"
    return f"""# {name}

A network that says which of {len(run.classes)} labels a grey picture of a face would get:
{", ".join(run.classes)}.

| | |
|---|---|
| network | {summary["model"]}, trained by fer_perturb (commit {summary.get("commit") or "unknown"}) |
| scheme | {summary["scheme"]}: it hides {hidden} |
| recipe, seed | {recipe["name"]} ({recipe["epochs"]} epochs), {summary["seed"]} |
| judged by | {judged}; test-time augmentation: {summary["tta"]} |
| run | {summary["config_hash"]}, trained in {summary.get("precision", "?")}; this file computes in float32 |

## Use

Input `image`: uint8 (N, {height}, {width}), grey (0.299 R + 0.587 G + 0.114 B), the face filling the picture as a
face detector cuts it out, shrunk by averaging. Outputs `logits` and `probabilities`: float32 (N, {len(run.classes)}),
in the order above. Scaling, crops, views and normalisation are inside. A safetensors file is read by
`fer_perturb.load`, which also finds the faces of a photograph.

## Data

`{summary["dataset"]}`: trained on its train split{clean}. The epoch was chosen on val
({_images(summary["val"])} images); the scores are those of test ({_images(summary["test"])} images).

## Scores

{_scores(summary["test"])}
## What may not be concluded

{LIMITS.get(str(dataset.get("kind")), OF_OTHERS)}{OF_ALL}"""


def _scores(test: dict[str, Any]) -> str:
    overall = (
        ("accuracy", _percent(test["accuracy"])),
        ("balanced accuracy", _percent(test["balanced_accuracy"])),
        ("macro F1", _decimals(test["f1_macro"])),
        ("accuracy without images that also stand in training", _percent(test["accuracy_no_twins"])),
    )
    rows = [f"| {name} | {value} |" for name, value in overall]
    classes = [
        f"| {name} | {_percent(of['accuracy'])} | {_decimals(of['f1'])} | {of['support']} |"
        for name, of in test["per_class"].items()
    ]
    return "\n".join(
        ["| test | |", "|---|---|", *rows, "", "| label | accuracy | F1 | images |", "|---|---|---|---|", *classes, ""]
    )


def _images(scores: dict[str, Any]) -> int:
    return sum(of["support"] for of in scores["per_class"].values())


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"


def _decimals(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"

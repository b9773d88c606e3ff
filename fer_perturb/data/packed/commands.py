"""Which command makes packed data again, or places their landmarks, by what their manifest says of their source."""

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fer_perturb.data.drawn_faces.action_units import STRENGTH

KINDS = {"folder": "folder", "drawn": "synthetic", "drawn masks": "maskfer", "released MaskFer": "maskfer"}
NAMED = {"fer2013": "fer2013", "maskfer": "maskfer", "synthetic": "synthetic", "planted": "planted"}
MADE = ("maskfer", "synthetic", "planted")  # without a source


def kind_of(manifest: Any) -> str | None:
    """The `dataset=` by which data were prepared; None where their manifest does not tell."""
    try:
        source = manifest["source"]
        older = KINDS.get(source["form"], "fer2013" if isinstance(source.get("resize"), bool) else None)
        kind: str | None = source.get("kind", older)
        return kind
    except (KeyError, TypeError, AttributeError):
        return None


def preparing(root: Path, kind: str | None = None) -> str:
    """The command that makes the data at `root`, with PATH for where their pictures lie.

    As they were made, where a manifest lies there that can be read, damaged or not; else by `kind`, their dataset=;
    else by their folder's name.
    """
    manifest = _manifest(root)
    try:
        words = _made_by(manifest["source"], manifest["classes"]) if kind_of(manifest) else None
    except (KeyError, TypeError, AttributeError, ValueError, IndexError):
        words = None
    kind = kind_of(manifest) or kind or NAMED.get(root.name, "folder")
    return _command("prepare", root, kind, ([] if kind in MADE else ["source=PATH"]) if words is None else words)


def placing_landmarks(root: Path) -> str:
    """The command that places the landmarks of the data at `root`."""
    return _command("landmarks", root, kind_of(_manifest(root)) or NAMED.get(root.name, "folder"), [])


def _manifest(root: Path) -> Any:
    try:
        return json.loads((root / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _command(entry: str, root: Path, kind: str, words: list[str]) -> str:
    name = [] if kind == root.name else [f"dataset.name={root.name}"]
    where = [] if root.parent == Path("data") else [f"paths.data={root.parent}"]
    return f"python -m fer_perturb.{entry} {shlex.join([f'dataset={kind}', *name, *words, *where])}"


def _made_by(source: Mapping[str, Any], classes: list[str]) -> list[str]:
    if source["form"] == "drawn":
        drawn = {"seed": source["seed"], **source["counts"]}
        drawn |= {"cue": source["cue"]} if source.get("cue") else {}
        strength = source.get("strength", list(STRENGTH))
        drawn |= {"strength": _listed(strength)} if strength != list(STRENGTH) else {}
        return [f"dataset.drawing.{key}={value}" for key, value in drawn.items()]
    if source["form"] == "drawn masks":
        return [f"dataset.of={source['of']['name']}", f"dataset.unplaced={source['unplaced']}"]
    words = ["source=PATH"]
    if size := source.get("resize"):
        words.append(f"dataset.resize={_listed(size) if isinstance(size, list) else 'true'}")
    if source["form"] == "folder":
        if classes != sorted(classes):  # else they are found as they were
            words.append(f"classes={_listed(classes)}")
        split = source.get("splitting", {})
        words += [f"dataset.{key}={split[key]}" for key in ("val_share", "group") if split.get(key) is not None]
        words += [f"dataset.split={_listed(split['shares'])}"] if split.get("shares") else []
        words += [f"dataset.split_seed={split['seed']}"] if split.get("seed") else []
    return words


def _listed(values: list[Any]) -> str:
    return f"[{','.join(map(str, values))}]"

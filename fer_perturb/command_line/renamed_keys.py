"""Config keys of earlier versions that people may have typed, and what to type now."""

from collections.abc import Sequence

from fer_perturb.errors import UserError

WHOLE = {  # keys outside of scheme -> what to type now
    "recipe.grow_from": "recipe.initial_size={}",
    "recipe.augmentation.light": "recipe.augmentation.jitter={}",
    "dataset.coverage": "dataset.occluder=mouth@{}, or whichever feature it is",
    "dataset.fill": "dataset.occluder=mouth@1-{}, or whichever feature it is",
    "logger.kind": "logger={}",
}
REGIONS = ("n_clusters", "position_weight", "attention_weight", "floor", "top_share", "init", "restarts")
ATTENTION = {"frozen": "phase_one", "self": "own_gates", "grey": "grey_values"}
HIDE = {
    "cluster": "perturb",
    "moved": "moved_maps",
    "nothing": "copies",
    "rectangle": "extra_erasing",
    "most_attended": "most_attended",
    "least_attended": "least_attended",
}


def refuse_renamed(words: Sequence[str]) -> None:
    """UserError, with the new one, for a word of the command line that has a key of earlier versions."""
    for word in words:
        key, _, value = word.lstrip("+").partition("=")
        if now := _now(key, value):
            raise UserError(f"{word}: this key has another name now: {now}")


def _now(key: str, value: str) -> str | None:
    """What to type in the place of key=value; None for a key that is none of an earlier version's."""
    if key in WHOLE:
        return WHOLE[key].format(value)
    name = key.removeprefix("scheme.")
    if name == key:
        return None
    if name == "scope":
        return f"scheme/regions={value}"
    if name == "views":
        return f"scheme/views={value}"
    if name == "attention" and value != "null":
        return f"scheme/attention={ATTENTION.get(value, value)}" if value != "landmarks" else "scheme=landmarks"
    if name == "hide":
        return f"scheme={HIDE.get(value, value)}"
    if name == "attention_epochs":
        return f"scheme.attention.epochs={value}"
    if name in ("fill", "clean_share"):
        return f"scheme.views.{name}={value}"
    if name in (*REGIONS, "every_n_epochs"):
        return f"scheme.regions.{name}={value}"
    return None

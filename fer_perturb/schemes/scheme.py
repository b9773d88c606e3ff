"""A scheme: where it looks, what it may hide, and in which views it shows its images (conf/scheme)."""

from typing import Any, Literal

from pydantic.dataclasses import dataclass

from fer_perturb.checked import STRICT, checked, made
from fer_perturb.schemes.attention.attention import Attention
from fer_perturb.schemes.regions.regions import Regions
from fer_perturb.schemes.views import Views


@dataclass(frozen=True, config=STRICT)
class Scheme:
    """The three parts are None where nothing is hidden (`baseline`)."""

    name: str
    attention: Attention | None
    regions: Regions | None
    views: Views | None
    inference: Literal["original", "views"]
    """what an image is judged by: the image alone, or the mean of the logits over its views"""
    reestimate_bn: bool
    """whether batch norm's statistics are made anew from whole training images, before testing"""

    def __post_init__(self) -> None:
        if self.regions is None:
            if self.inference == "views":
                raise ValueError("inference=views needs regions to hide: choose scheme/regions, or inference=original.")
        else:
            if self.views is None:
                raise ValueError("there are regions and no views that hide them: set scheme/views=all or sample.")
            self.regions.check(self.attention)

    def identity(self) -> dict[str, Any]:
        """What of the scheme decides a predictor's weights, and which of its epochs is kept."""
        parts = {"attention": self.attention, "regions": self.regions, "views": self.views}
        own = {name: part.identity() if part else None for name, part in parts.items()}
        return {**own, "inference": self.inference, "reestimate_bn": self.reestimate_bn}

    @property
    def has_phase_1(self) -> bool:
        """Whether there is an attention classifier to train."""
        return self.attention is not None and self.attention.has_phase_1

    @property
    def stored(self) -> bool:
        """Whether the attention is the same in each epoch, so that phase 2 computes it once and for all."""
        return self.attention is not None and not self.attention.follows_predictor

    @property
    def n_views(self) -> int:
        """Views of each image in testing: all regions hidden in turn, and the image."""
        return 1 if self.regions is None else self.regions.n + 1

    @property
    def views_of_a_step(self) -> int:
        """Views of each image in a training step."""
        return 1 if self.regions is None or self.views is None else self.views.per_image(self.regions.n)


def effective(settings: dict[str, Any]) -> dict[str, Any]:
    """What has an effect of a resolved conf/scheme: without regions nothing is hidden, wherever it would look."""
    return settings if settings.get("regions") is not None else {**settings, "attention": None, "views": None}


def scheme_from(settings: dict[str, Any]) -> Scheme:
    """The scheme of a resolved conf/scheme, its parts made by `_target_`; a `control` is made around the regions.

    Raises UserError for a part or a value that cannot work, naming its key.
    """
    regions, control = settings.get("regions"), settings.get("control")
    values = {key: value for key, value in effective(settings).items() if key != "control"}
    for part in ("attention", "regions", "views"):
        if isinstance(values.get(part), dict):
            values[part] = made(values[part], f"scheme.{part}")
    if control is not None:
        values["regions"] = made({**control, "of": regions}, "scheme.control")
    return checked(Scheme, values, "scheme")

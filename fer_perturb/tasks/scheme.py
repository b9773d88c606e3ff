"""How a scheme perturbs the images (conf/scheme)."""

from dataclasses import dataclass, fields
from typing import Any, Literal

from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from fer_perturb.data.packed import PackedData
from fer_perturb.errors import UserError
from fer_perturb.perturb.clusters import ClusterSettings
from fer_perturb.perturb.landmark_regions import FEATURES
from fer_perturb.perturb.one_region import one_region
from fer_perturb.settings import settings_from


@dataclass(frozen=True)
class Scheme:
    """The keys of conf/scheme, explained there. `n_clusters` = 0 means that nothing is masked (baseline)."""

    name: str
    attention: Literal["frozen", "self", "grey", "landmarks"]
    attention_epochs: int | None
    scope: Literal["batch", "dataset", "image"]
    n_clusters: int
    position_weight: float
    attention_weight: float
    floor: float
    top_share: float
    init: Literal["random", "previous"]
    restarts: int
    every_n_epochs: int
    hide: Literal["cluster", "moved", "nothing", "rectangle", "most_attended", "least_attended"]
    fill: str | int
    views: Literal["all", "sample"]
    clean_share: float | None
    reestimate_bn: bool
    inference: Literal["original", "views"]

    @classmethod
    def from_config(cls, config: DictConfig) -> "Scheme":
        """Raises UserError for a value that cannot work, naming its key."""
        plain: Any = OmegaConf.to_container(config, resolve=True)
        scheme = settings_from(cls, plain, "scheme")
        scheme._check()
        return scheme

    @property
    def masks(self) -> bool:
        """Whether there are clusters, and views that hide them (or, in a control, something else)."""
        return self.n_clusters > 0

    @property
    def stored(self) -> bool:
        """Whether the attention is the same in each epoch, so that phase 2 computes it once and for all."""
        return self.masks and self.attention in ("frozen", "grey")

    @property
    def one_region(self) -> bool:
        """Whether all masked views hide the same region, the label 0 of its maps."""
        return self.hide in ("most_attended", "least_attended")

    @property
    def clusters(self) -> ClusterSettings:
        return ClusterSettings(
            n_clusters=self.n_clusters,
            position_weight=self.position_weight,
            attention_weight=self.attention_weight,
            floor=self.floor,
            top_share=self.top_share,
            restarts=self.restarts,
        )

    def hidden_regions(self, attention: Tensor, labels: Tensor) -> Tensor:
        """What the views hide of cluster maps int8 (B, H, W) of that attention: the clusters, or one region alone."""
        if not self.one_region:
            return labels
        return one_region(attention, labels, self.clusters, most=self.hide == "most_attended")

    def require_landmarks(self, data: PackedData) -> None:
        """UserError where the scheme needs landmarks that `data` does not have."""
        if self.attention == "landmarks":
            data.require_landmarks("scheme.attention=landmarks")

    def fill_value(self, mean: float) -> float:
        """The fill of masked pixels as a grey value in [0, 1]; `mean` is the training images'."""
        if self.fill == "mean":
            return mean
        return 0.0 if self.fill == "black" else float(self.fill) / 255

    def _check(self) -> None:
        if self.n_clusters < 0:
            raise UserError(f"scheme.n_clusters={self.n_clusters}: expected 1 or more (0: nothing is masked).")
        if self.attention_epochs is not None and self.attention_epochs < 1:
            raise UserError(f"scheme.attention_epochs={self.attention_epochs}: expected at least 1, or null.")
        if self.every_n_epochs < 1:
            raise UserError(f"scheme.every_n_epochs={self.every_n_epochs}: expected at least 1.")
        if self.clean_share is not None and not (0 <= self.clean_share <= 1 and self.views == "sample"):
            raise UserError(
                f"scheme.clean_share={self.clean_share} with scheme.views={self.views}: expected a share from 0 to 1 "
                "with scheme.views=sample, or null (with views=all each image is seen whole once a step)."
            )
        grey = isinstance(self.fill, int) and not isinstance(self.fill, bool) and 0 <= self.fill <= 255
        if not grey and self.fill not in ("black", "mean"):
            raise UserError(f"scheme.fill={self.fill}: expected black, mean or a grey value from 0 to 255.")
        if self.masks:
            _ = self.clusters  # its own checks
        elif self.inference == "views":
            raise UserError("scheme.inference=views needs clusters: set scheme.n_clusters, or inference=original.")
        if self.attention == "self" and self.scope == "image" and self.every_n_epochs > 1:
            # a resumed run could not make the maps of an earlier epoch again
            raise UserError(
                "scheme.attention=self with scheme.scope=image clusters at each epoch: set scheme.every_n_epochs=1."
            )
        if self.attention == "landmarks":
            fixed = {"n_clusters": len(FEATURES), "scope": "image", "hide": "cluster"}
            for key, value in fixed.items():
                if getattr(self, key) != value:
                    raise UserError(
                        f"scheme.{key}={getattr(self, key)} with scheme.attention=landmarks: expected {value} (two "
                        "eyes and the mouth, where they lie in each image)."
                    )
        if self.hide == "moved" and self.scope == "image" and self.attention == "self":
            raise UserError(
                "scheme.hide=moved with scheme.scope=image needs stored attention maps: set scheme.attention=frozen."
            )


def content(scheme: Scheme) -> dict[str, Any]:
    """What of the scheme decides a predictor's weights: of the masks nothing, where nothing is masked."""
    if not scheme.masks:
        return {"reestimate_bn": True} if scheme.reestimate_bn else {}
    own = {field.name: getattr(scheme, field.name) for field in fields(scheme)}
    return {key: value for key, value in own.items() if key not in ("name", "attention_epochs")}  # phase 1's key has it

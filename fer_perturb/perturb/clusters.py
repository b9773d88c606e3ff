"""Phase 2: from an attention map to a cluster map, and what there is to say about one."""

from dataclasses import dataclass
from typing import Annotated, Self

import torch
from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass as pydantic_dataclass
from torch import Tensor

from fer_perturb.checked import STRICT
from fer_perturb.perturb.features import most_attended, pixel_features
from fer_perturb.perturb.identity import match, reading_order, relabel
from fer_perturb.perturb.kmeans import batched_kmeans, kmeans

ITERATIONS = 20  # Lloyd iterations of each start of k-means
CHUNK = 512  # images at a time in cluster_maps_per_image: bounds the memory for their features


Weight = Annotated[float, Field(ge=0)]


@pydantic_dataclass(frozen=True, config=STRICT)
class ClusterSettings:
    """How attention becomes clusters. Raises ValueError for a value that cannot work."""

    n_clusters: Annotated[int, Field(ge=1, le=127)]
    position_weight: Weight
    """lambda of Eq. 1"""
    attention_weight: Weight
    """alpha of Eq. 1"""
    floor: Annotated[float, Field(ge=0, le=1)]
    """scaled attention below this counts as 0"""
    top_share: Annotated[float, Field(gt=0, le=1)]
    """share of the pixels that may be masked, most attended first"""
    restarts: Annotated[int, Field(ge=1, lt=2**31)]
    """random starts of k-means, of which the best is kept"""

    @model_validator(mode="after")
    def _not_all_alike(self) -> Self:
        if self.position_weight == self.attention_weight == 0:
            raise ValueError(
                "position_weight and attention_weight are both 0, which makes all pixels alike; expected at least one "
                "above 0."
            )
        return self


@dataclass(frozen=True)
class ClusterMap:
    """One clustering of the pixel grid.

    labels: (H, W) int8 in -1..k-1, -1 = never masked; centres: (k, 3) float32 in the space of `pixel_features`,
    centre c being that of label c; inertia: sum over the clustered pixels of the squared distance to their centre.
    """

    labels: Tensor
    centres: Tensor
    inertia: float


def cluster_map(
    attention: Tensor,
    settings: ClusterSettings,
    *,
    seed: int,
    start: Tensor | None = None,
    reference: Tensor | None = None,
    iterations: int = ITERATIONS,
) -> ClusterMap:
    """Clusters the pixels of one attention map by Eq. 1 (phase 2 of the paper).

    Args:
        attention: (H, W), any real dtype and range; a constant map is clustered by position alone.
        settings: the weights, the number of clusters, and which pixels take part.
        seed: of k-means' random starts.
        start: (k, 3) centres for a warm start instead.
        reference: (k, 3) earlier centres whose labels are kept (Hungarian matching); without them the labels
            follow reading order.
        iterations: Lloyd iterations of each start.

    Raises:
        ValueError: NaN or infinity, or fewer (distinct) pixels that may be masked than clusters.
    """
    points = pixel_features(
        attention,
        position_weight=settings.position_weight,
        attention_weight=settings.attention_weight,
        floor=settings.floor,
    )
    permitted = most_attended(attention, settings.top_share)
    found = kmeans(
        points[permitted],
        settings.n_clusters,
        seed=seed,
        restarts=settings.restarts,
        iterations=iterations,
        start=start,
    )
    order = reading_order(found.centres) if reference is None else match(found.centres, reference)
    labels = torch.full((attention.numel(),), -1, dtype=torch.int8, device=attention.device)
    labels[permitted] = relabel(found.labels, order).to(torch.int8)
    return ClusterMap(labels.view(attention.shape), found.centres[order], found.inertia)


def cluster_maps_per_image(
    attention: Tensor, settings: ClusterSettings, centres: Tensor, iterations: int = ITERATIONS
) -> Tensor:
    """Clusters each image's pixels on their own, from the global map's centres: label c means the same in all.

    Args:
        attention: (B, H, W), any real dtype and range, each map scaled on its own.
        settings: as for `cluster_map`; `restarts` has no part in it.
        centres: (k, 3) of the global map.

    Returns:
        (B, H, W) int8 in -1..k-1, -1 = never masked. A cluster that none of an image's pixels is nearest to is
        empty there: its mask is empty, and its view is the image itself.

    Raises:
        ValueError: NaN or infinity, or `centres` that do not fit the settings.
    """
    if centres.shape != (settings.n_clusters, 3):
        raise ValueError(f"expected {(settings.n_clusters, 3)} centres, got {tuple(centres.shape)}")
    labels = torch.full(attention.shape, -1, dtype=torch.int8, device=attention.device)
    for low in range(0, len(attention), CHUNK):
        maps = attention[low : low + CHUNK]
        points = pixel_features(
            maps,
            position_weight=settings.position_weight,
            attention_weight=settings.attention_weight,
            floor=settings.floor,
        )
        flat = labels[low : low + CHUNK].flatten(1)
        if settings.top_share == 1:
            found, _, _ = batched_kmeans(points, centres, iterations=iterations)
            flat.copy_(found)
        else:
            permitted = most_attended(maps, settings.top_share)  # (b, M)
            points = points.mT.gather(2, permitted[:, None].expand(-1, 3, -1)).mT
            found, _, _ = batched_kmeans(points, centres, iterations=iterations)
            flat.scatter_(1, permitted, found.to(torch.int8))
    return labels


def position_only_map(
    shape: tuple[int, int], settings: ClusterSettings, *, seed: int, start: Tensor | None = None
) -> ClusterMap:
    """The map that pixel positions alone give (alpha = 0): what attention's part in a map is measured against.

    All pixels of the (H, W) grid take part, whatever `top_share`, since no attention ranks them. lambda only scales
    this problem, so that lambda = 0 is read as 1.

    A square has several equally good layouts (each turned by 90 degrees is another), and a random start lands in
    any of them. To measure what attention does to a map, give the map's own centres (k, 3) as `start`: their
    attention is dropped, and the positions settle in the layout next to that map, with its labels.
    """
    by_position = ClusterSettings(
        n_clusters=settings.n_clusters,
        position_weight=settings.position_weight or 1.0,
        attention_weight=0.0,
        floor=settings.floor,
        top_share=1.0,
        restarts=settings.restarts,
    )
    if start is None or settings.position_weight == 0:
        return cluster_map(torch.zeros(shape), by_position, seed=seed)
    start = start.cpu() * torch.tensor([1.0, 1.0, 0.0])
    return cluster_map(torch.zeros(shape), by_position, seed=seed, start=start, reference=start)


def agreement(a: Tensor, b: Tensor) -> float:
    """Adjusted Rand index (Hubert and Arabie, 1985) of two cluster maps, over the pixels that both cluster.

    1 = the same clusters, whatever their names; 0 = as much alike as by chance. In whole numbers without bounds:
    torchmetrics' function overflows from about 250,000 pixels on.

    Raises:
        ValueError: the shapes differ, or no pixel is clustered in both.
    """
    _require_same_shape(a, b)
    both = (a >= 0) & (b >= 0)
    if not both.any():
        raise ValueError("the two maps have no clustered pixel in common")
    a, b = a[both].long().cpu(), b[both].long().cpu()
    n = int(torch.maximum(a, b).max()) + 1
    joint = torch.bincount(a * n + b, minlength=n * n).view(n, n)  # how many pixels have label i in a and j in b

    together, in_a, in_b = _pairs(joint), _pairs(joint.sum(dim=1)), _pairs(joint.sum(dim=0))
    total = _pairs(joint.sum())
    if 2 * in_a * in_b == (in_a + in_b) * total:
        return 1.0  # both maps are one single cluster, or both have a cluster for each pixel
    by_chance = in_a * in_b / total
    return (together - by_chance) / ((in_a + in_b) / 2 - by_chance)


def areas(labels: Tensor, n_clusters: int) -> Tensor:
    """Share of (..., H, W) maps' pixels that each cluster holds: (n,) float32 on the CPU; what is left is -1's."""
    counts = [(labels == c).count_nonzero() for c in range(n_clusters)]
    return (torch.stack(counts).cpu().double() / labels.numel()).float()  # Apple's GPU has no float64


def changed(a: Tensor, b: Tensor) -> float:
    """Share of the pixels, in [0, 1], whose label differs between two maps of one shape."""
    _require_same_shape(a, b)
    return ((a != b).count_nonzero() / a.numel()).item()


def _pairs(counts: Tensor) -> int:
    """In how many ways one can pick two pixels of the same group."""
    return int((counts * (counts - 1) // 2).sum())


def _require_same_shape(a: Tensor, b: Tensor) -> None:
    if a.shape != b.shape:
        raise ValueError(f"the maps differ in shape: {tuple(a.shape)} and {tuple(b.shape)}")

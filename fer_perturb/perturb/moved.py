"""The control `moved_maps`: real cluster maps in the wrong place, with the same areas, shapes and pieces."""

from torch import Tensor


def flipped(labels: Tensor) -> Tensor:
    """Cluster maps (..., H, W) upside down: the control for a map that all images share."""
    return labels.flip(-2)


def other_image(index: Tensor, n: int) -> Tensor:
    """Whose cluster map an image wears in the control for per-image maps.

    The image half the data set further on, and round again at its end: a fixed choice, each image once, and never
    the image itself or its duplicate in the next row.

    Args:
        index: (B,) int64 image numbers in 0..n-1.
        n: how many images there are; for n = 1 there is no other, and the image keeps its own map.

    Returns:
        (B,) int64 in 0..n-1.
    """
    return (index + n // 2) % n

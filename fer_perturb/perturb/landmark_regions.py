"""The control `landmarks`: facial features as they lie in each face, where Perturb hides clusters."""

import torch
from torch import Tensor

# of iBUG's 68 points: brow and eye on the image's left, brow and eye on its right, mouth; "two eyes, one mouth" is
# what the paper's clusters are meant to be (section 3)
EYES_AND_MOUTH = ((*range(17, 22), *range(36, 42)), (*range(22, 27), *range(42, 48)), tuple(range(48, 68)))


def landmark_regions(landmarks: Tensor, size: tuple[int, int]) -> Tensor:
    """Which facial feature each pixel is nearest to: all pixels are divided among them, as among clusters.

    So the views hide an n-th of the pixels on average, as Perturb's do.

    Args:
        landmarks: (B, 68, 2), x and y in pixels, iBUG's 68 points; they may lie outside the frame.
        size: H, W.

    Returns:
        (B, H, W) int8: 0 = eye and brow on the image's left, 1 = on its right, 2 = mouth. Of equally near features
        the first.
    """
    height, width = size
    x, y = landmarks.float().unbind(dim=2)
    across = (torch.arange(width, device=x.device) - x[..., None]).square()  # (B, 68, W)
    down = (torch.arange(height, device=y.device) - y[..., None]).square()  # (B, 68, H)
    nearest = []
    for feature in EYES_AND_MOUTH:
        squares = torch.full((len(x), height, width), torch.inf, device=x.device)
        for point in feature:  # one at a time, so that all of it stays in the cache
            squares = torch.minimum(squares, across[:, point, None, :] + down[:, point, :, None])
        nearest.append(squares)
    return torch.stack(nearest).argmin(dim=0).to(torch.int8)

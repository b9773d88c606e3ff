"""mixup (Zhang et al. 2018): a step learns from weighted means of two images, and of the losses of their labels."""

import torch
from torch import Tensor
from torch.distributions import Gamma


def mix_pairs(images: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    """Each image mixed with its partner, the image as far from the end of the batch as it is from the start.

    The batch is in random order, so that the partners are, too. One share is drawn for the batch, from torch's
    global random stream on the images' device.

    Args:
        images: float (r, B, C, H, W), r versions of each image; versions are mixed with their like.
        alpha: of Beta(alpha, alpha), above 0.

    Returns:
        share * images + (1 - share) * partners, in the shape and memory format of `images`; and the share, a float
        tensor () in [0, 1].
    """
    # a Beta variate is a share of two Gamma variates; torch's own Beta has no form for torch.compile to trace
    concentration = torch.full((2,), alpha, device=images.device)
    # numbers would be copied to the device, and validation would wait for it
    drawn = Gamma(concentration, torch.ones_like(concentration), validate_args=False).sample()
    share = drawn[0] / drawn.sum()
    return torch.lerp(images.flip(1), images, share), share

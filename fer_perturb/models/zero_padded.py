"""Pictures in a frame of zeros, for networks that want another size."""

from torch import Tensor, nn
from torch.nn import functional as F


class ZeroPadded(nn.Module):
    """Pads pictures (B, C, H, W) evenly with zeros to 64 pixels a side, or else to the next multiple of 32."""

    def margins(self, height: int, width: int) -> tuple[int, int, int, int]:
        """Pixels to the left, to the right, above and below of a picture of that size."""
        rows, columns = (max(64, -(-side // 32) * 32) - side for side in (height, width))
        return columns // 2, columns - columns // 2, rows // 2, rows - rows // 2

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x, self.margins(x.shape[2], x.shape[3]))

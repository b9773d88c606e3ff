"""A trained run as one module without Lightning: pixels in, logits and probabilities out."""

import torch
from torch import Tensor, nn

from fer_perturb.data.augmentation.augment import to_unit
from fer_perturb.data.augmentation.crops import test_time_crops
from fer_perturb.data.loading.batches import Batch
from fer_perturb.errors import UserError
from fer_perturb.prediction.portable import Portable
from fer_perturb.schemes.views import all_views
from fer_perturb.tasks.phases.predictor import Predictor


class Judge(nn.Module):
    """uint8 (N, H, W), grey -> logits and probabilities, float32 (N, classes): what the run judges a face by.

    Crops, test-time augmentation, normalisation and, where the run is judged by them, its views are inside. Raises
    UserError for views by maps that each image has for itself: k-means makes them, which no exported graph holds.
    """

    mean: Tensor
    std: Tensor
    hidden: Tensor | None

    def __init__(self, run: Portable) -> None:
        super().__init__()
        task = run.classifier()
        self.network = task.network.to(memory_format=torch.contiguous_format)
        self.tta, self.crop = task.recipe.tta, task.recipe.crop
        self.register_buffer("mean", task.mean)
        self.register_buffer("std", task.std)
        self.fill, hidden = 0.0, None
        if isinstance(task, Predictor) and task.scheme.inference == "views":
            self.fill, hidden = task.fill, _hidden(task, run)
        self.register_buffer("hidden", hidden)
        self.eval()

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        crops = test_time_crops(to_unit(image.unsqueeze(1)), self.tta, self.crop)  # (T, N, 1, h, w)
        views = crops[:, None] if self.hidden is None else torch.where(self.hidden, self.fill, crops[:, None])
        flat = views.flatten(0, 2)  # one pass of the network over all of them: the graph holds it once
        logits: Tensor = self.network((flat - self.mean) / self.std).float()
        mean = logits.view(views.shape[0] * views.shape[1], -1, logits.shape[-1]).mean(dim=0)
        return mean, mean.softmax(dim=-1)


def _hidden(task: Predictor, run: Portable) -> Tensor:
    """What each view of each crop hides, bool (T, V, 1, 1, h, w), where that is the same of all images."""
    # two images that have nothing in common, so that what is of each image shows itself
    images = torch.stack([torch.zeros(1, *run.image_size), torch.eye(*run.image_size)[None]]).mul(255).byte()
    rows = torch.arange(2)
    batch: Batch = {"image": images, "label": rows, "index": rows}
    count = len(task.crops(images, task.recipe.tta))
    maps = task.maps_of_crops(batch, task.recipe.tta, count)
    views = all_views(2, task.regions.n, maps.device)
    hidden = torch.stack([task.regions.hidden(of_crop, views) for of_crop in maps])  # (T, V, 2, h, w)
    if task.regions.of_each_image or not torch.equal(hidden[:, :, 0], hidden[:, :, 1]):
        raise UserError(
            f"{run.what} is judged by views with a map of each image, which is clustered from its attention; no graph "
            "of onnx or torchscript holds that. Expected format=safetensors, which does, or a run with maps that all "
            "images share (scheme/regions=batch or dataset) or scheme.inference=original."
        )
    return hidden[:, :, :1, None].clone()

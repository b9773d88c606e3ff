"""What phases 1 and 3 share: a network trained on augmented batches, its score on val, and its logits."""

import inspect
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate
from torchmetrics.classification import MulticlassAccuracy

from fer_perturb.data.augmentation.augment import Augmentation, to_unit
from fer_perturb.data.augmentation.crops import TestTimeAugmentation, test_time_crops
from fer_perturb.data.augmentation.mixup import mix_pairs
from fer_perturb.data.loading.batches import Batch
from fer_perturb.data.loading.datamodule import FaceDataModule
from fer_perturb.errors import UserError, first_line
from fer_perturb.experiment.recipe import Recipe
from fer_perturb.models.gates import GatedNetwork
from fer_perturb.processes import share_buffers
from fer_perturb.seeds import derive, seed_step

COMPILER = ("torch._dynamo", "torch._inductor")  # whose errors are of compiling
MONITOR = "val/accuracy"  # chooses the checkpoint and steers ReduceLROnPlateau


class Classifier(pl.LightningModule):
    """A network of images to logits, trained with cross entropy.

    Images are uint8 (B, 1, H, W) in batches, float32 in [0, 1] after augmentation, and normalised by the
    training split's own mean and deviation last, so that a fill value is a plain grey value.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, data: FaceDataModule, recipe: Recipe, seed: int) -> None:
        super().__init__()
        self.network = network
        self.recipe = recipe
        self.seed = seed
        self.updated = False  # whether the weights have changed since the schedule moved
        self.training_sizes = recipe.training_sizes(data.packed.image_size)
        self.augmentation = Augmentation(recipe.augmentation, recipe.crop)
        self.register_buffer("mean", torch.tensor(data.mean))
        self.register_buffer("std", torch.tensor(data.std))
        self.loss = nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing)
        classes = len(data.packed.classes)
        self.val_accuracy = MulticlassAccuracy(classes, average="micro")
        self.val_balanced_accuracy = MulticlassAccuracy(classes, average="macro")
        if recipe.channels_last:
            self.network.to(memory_format=torch.channels_last)
        # in a tuple, as what it wraps is a part of this module already
        self.compiled = (torch.compile(network, mode=recipe.compile),) if recipe.compile else ()

    def forward(self, images: Tensor) -> Tensor:
        """float (B, 1, H, W) in [0, 1] -> logits (B, classes).

        Raises UserError in training where the network cannot be compiled, which recipe.compile asks for.
        """
        if not (self.training and self.compiled):  # batches of testing differ in size: each would be compiled
            logits: Tensor = self.network(self.normalise(images))
            return logits
        try:
            logits = self.compiled[0](self.normalise(images))
        except RuntimeError as error:
            if not type(error).__module__.startswith(COMPILER):
                raise
            why = first_line(getattr(error, "inner_exception", error))
            raise UserError(
                f"recipe.compile={self.recipe.compile}: the network cannot be compiled here: {why} Set "
                "recipe.compile=null, or install what torch.compile needs (Triton on a GPU, a C++ compiler on a CPU)."
            ) from error
        return logits

    def normalise(self, images: Tensor) -> Tensor:
        """Grey values in [0, 1] as the network expects them: mean 0, deviation 1 over the training split."""
        layout = torch.channels_last if self.recipe.channels_last else torch.contiguous_format
        return ((images - self.mean) / self.std).contiguous(memory_format=layout)

    def attention(self, images: Tensor) -> Tensor:
        """float (B, 1, H, W) in [0, 1] -> the attention map of each, float32 (B, H, W) in [0, 1]."""
        if not isinstance(self.network, GatedNetwork):
            raise TypeError("the network has no spatial gates, so it has no attention")
        _, maps = self.network.forward_with_attention(self.normalise(images))
        return maps

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        # all draws of a step (augmentation first, then views, then dropout) follow from this
        seed_step(self.device, derive(self.seed, "step", self.current_epoch, batch_idx, self.global_rank))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        images, _ = self.augmentation(batch["image"])
        return self.train_on(images, batch["label"])

    def train_on(self, images: Tensor, labels: Tensor) -> Tensor:
        """The loss of images (r * B, 1, H, W), r versions of each label's image one batch after another."""
        height, width = self.training_sizes[self.current_epoch]
        if images.shape[-2:] != (height, width):
            images = interpolate(images, size=(height, width), mode="bilinear", antialias=True)
        versions = len(images) // len(labels)
        if self.recipe.mixup:
            mixed, share = mix_pairs(images.view(versions, -1, *images.shape[1:]), self.recipe.mixup)
            logits = self(mixed.flatten(0, 1))
            partners = self.loss(logits, labels.flip(0).repeat(versions))
            loss: Tensor = torch.lerp(partners, self.loss(logits, labels.repeat(versions)), share)
        else:
            loss = self.loss(self(images), labels.repeat(versions))
        self.log("train/loss", loss, batch_size=len(labels))  # in the bar: trainer.Bar
        return loss

    def on_validation_epoch_start(self) -> None:
        share_buffers(self)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        logits = self.score(self.evaluate(batch, tta="none"))
        self.val_accuracy(logits, batch["label"])
        self.val_balanced_accuracy(logits, batch["label"])
        shown: dict[str, Any] = {
            "on_step": False,
            "on_epoch": True,
            "prog_bar": True,
            "batch_size": len(logits),
        }
        self.log(MONITOR, self.val_accuracy, **shown)
        self.log("val/balanced_accuracy", self.val_balanced_accuracy, **shown)

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        return self.evaluate(batch, tta=self.recipe.tta)

    def evaluate(self, batch: Batch, tta: TestTimeAugmentation) -> Tensor:
        """Logits float32 (T, V, B, classes): T test-time crops, V views, the last of which is the image itself."""
        return torch.stack([self(crop).float() for crop in self.crops(batch["image"], tta)]).unsqueeze(1)

    def crops(self, planes: Tensor, tta: TestTimeAugmentation) -> Tensor:
        """(B, …, H, W) -> (T, B, …, h, w); uint8 images become float32 in [0, 1]."""
        planes = to_unit(planes) if planes.dtype == torch.uint8 else planes
        return test_time_crops(planes, tta, self.recipe.crop)

    def score(self, logits: Tensor) -> Tensor:
        """(T, V, B, classes) -> (B, classes): what an image is judged by."""
        return logits[:, -1].mean(dim=0)

    def configure_optimizers(self) -> Any:
        optimizer = self.recipe.optimizer(self.network.parameters())
        optimizer.register_step_post_hook(self._note_update)
        make = self.recipe.scheduler
        if self.steps_per_batch:
            steps = int(self.trainer.estimated_stepping_batches)
            try:
                return [optimizer], [{"scheduler": make(optimizer, total_steps=steps), "interval": "step"}]
            except ZeroDivisionError as error:  # torch's own, where the rise has no step
                raise UserError(
                    f"recipe.scheduler: a cycle of {steps} steps in all leaves no step for the rise of the learning "
                    "rate; train longer (recipe.epochs), or raise recipe.scheduler.pct_start."
                ) from error
        return [optimizer], [{"scheduler": make(optimizer), "interval": "epoch", "monitor": MONITOR}]

    @property
    def steps_per_batch(self) -> bool:
        """Whether the schedule moves at each batch: one that takes `total_steps` does; others move at each epoch."""
        return "total_steps" in inspect.signature(self.recipe.scheduler).parameters

    def lr_scheduler_step(self, scheduler: Any, metric: Any) -> None:
        # Lightning writes the checkpoint of an epoch before it moves the epoch's schedule, and does not make up
        # for it on resuming; on_train_epoch_end comes before the checkpoint
        if self.steps_per_batch:
            self._move(scheduler)

    def on_train_epoch_end(self) -> None:
        scheduler: Any = self.lr_schedulers()
        if isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau):
            scheduler.step(self.trainer.callback_metrics[MONITOR])
        elif not self.steps_per_batch:
            self._move(scheduler)

    def _note_update(self, *_: Any) -> None:
        self.updated = True

    def _move(self, scheduler: Any) -> None:
        """Moves the schedule on, unless the weights have stayed: in float16 the gradients of the first steps overflow
        until the loss's scale has come down, and make no update."""
        if self.updated:
            scheduler.step()
            self.updated = False

"""Phase 1: a classifier with spatial attention learns where it looks (paper, section 3)."""

from pathlib import Path
from typing import Any, ClassVar

from safetensors.torch import load_file

from fer_perturb.errors import UserError
from fer_perturb.models.gates import GatedNetwork
from fer_perturb.tasks.phases.phase import Phase
from fer_perturb.tasks.phases.trained import WEIGHTS, train_and_test
from fer_perturb.tasks.training.classifier import Classifier

VERSION = 4  # raise it when the phase's result changes: stored results of older versions are not used again


class AttentionPhase(Phase):
    """A plain classifier of a network with gates, trained on the images as they are.

    Its attention is what phase 2 clusters; its own score is the control "attention only".
    """

    name: ClassVar[str] = "attention"
    title = "Phase 1, attention classifier"

    def content(self) -> dict[str, Any]:
        return self.experiment.content(VERSION, "attention_model", self.experiment.attention_recipe.epochs)

    def work(self, directory: Path) -> dict[str, Any]:
        return train_and_test(self, self.classifier(), directory)

    def classifier(self) -> Classifier:
        """Untrained; UserError where its network has no gates."""
        network = self.experiment.build(self.experiment.attention_network)
        if not isinstance(network, GatedNetwork):
            raise UserError("attention_model.attention.at is empty: expected at least one of input, stage1, stage2, …")
        return Classifier(network, self.run.data, self.experiment.attention_recipe, self.experiment.seed)

    def frozen(self) -> Classifier:
        """As it was trained, in evaluation mode and without gradients."""
        classifier = self.classifier()
        classifier.load_state_dict(load_file(self.finish().directory / WEIGHTS))
        classifier.requires_grad_(False)
        return classifier.eval()

"""Phase 1: a classifier with spatial attention learns where it looks (paper, section 3)."""

from fer_perturb.tasks.classifier import Classifier

VERSION = 3  # raise it when the phase's result changes: stored results of older versions are not used again


class AttentionClassifier(Classifier):
    """A network with spatial gates, trained on the images as they are.

    Its attention is what phase 2 clusters; its own score is the control "attention only".
    """

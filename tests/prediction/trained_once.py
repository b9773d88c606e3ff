"""What the tests of this folder ask of runs that are trained once."""

import numpy as np

from fer_perturb.prediction.face import Face

SCHEMES = {
    "baseline": ["scheme=baseline", "model.attention.at=[stage1]"],
    "batch": ["scheme=perturb", "recipe.crop=40", "recipe.tta=flip"],
    "image": ["scheme=perturb_image", "scheme.views.fill=mean", "dataset.clean=true"],
}


def shares(faces: list[Face]) -> np.ndarray:
    """(faces, emotions)"""
    return np.array([list(face.probabilities.values()) for face in faces])

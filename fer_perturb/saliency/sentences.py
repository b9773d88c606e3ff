"""What the paper says of its Figures 1, 4 and 6, each as a number that could have been otherwise."""

from dataclasses import dataclass

from fer_perturb.saliency.regions import FEATURES

WHOLE, MASKED, PERTURB = "whole", "masked", "perturb"
ARMS = {
    WHOLE: "baseline trained on whole faces",
    MASKED: "baseline trained on masked faces",
    PERTURB: "network trained with Perturb on whole faces",
}
SALIENCY = ("gradient", "integrated gradients", "Grad-CAM")
HELD, NOT_HELD, UNDECIDED = "held", "not held", "not decidable"
CLUSTERS = "two eyes and a mouth"


@dataclass(frozen=True)
class Sentence:
    """words: the paper's own. where: section and figure. reading: what would have to be seen, in plain words.

    The number is the density (share of saliency by share of area) of `parts` on faces of `emotions` (all, where there
    are none) in the networks of `arm`, less that of `less` if there is one. `more`: whether the paper says that it is
    above 1, or above 0 of a difference, or else below. methods: by which estimators.
    """

    words: str
    where: str
    reading: str
    parts: tuple[str, ...] = ()
    emotions: tuple[str, ...] = ()
    arm: str = ""
    less: str = ""
    more: bool = True
    methods: tuple[str, ...] = SALIENCY

    @property
    def bound(self) -> float:
        """What the number would be if there were nothing to it."""
        return 0.5 if CLUSTERS in self.methods else 0.0 if self.less else 1.0

    @property
    def arms(self) -> tuple[str, ...]:
        return tuple(arm for arm in (self.arm, self.less) if arm)


BROWS_OF_ANGER = (
    "the model trained on MaskFer was able to capture the features in the eyebrows when identifying an angry face"
)
FOCUS = (
    "our models primarily focus on localized regions around the eyes and mouth, as "
    "highlighted by the attention classifier"
)

SENTENCES = (
    Sentence(
        "for emotions such as disgust, anger, and sadness, the model trained on Fer2013 may not have learned the "
        "optimal salient features",
        "section 1, Figure 1",
        "nothing says which features are optimal",
    ),
    Sentence(
        BROWS_OF_ANGER,
        "section 1, Figure 1",
        "on angry faces it looks at the brows more than at other pixels",
        ("brows",),
        ("angry",),
        MASKED,
    ),
    Sentence(
        f"in contrast, {BROWS_OF_ANGER}",
        "section 1, Figure 1",
        "and more than the model trained on FER2013 does",
        ("brows",),
        ("angry",),
        MASKED,
        WHOLE,
    ),
    Sentence(
        "models trained on Fer2013 do not effectively leverage all the information present in the vicinity of major "
        "facial landmarks like the eyebrows",
        "section 1, Figure 1",
        "on all faces they look less at the brows than models trained on MaskFer",
        ("brows",),
        (),
        WHOLE,
        MASKED,
        more=False,
    ),
    Sentence(
        "masking the mouth allowed the model to extract better information relevant to the emotion of sad such as the "
        "eyebrow",
        "section 1",
        "on sad faces the model trained on MaskFer looks more at the brows than the one trained on FER2013",
        ("brows",),
        ("sad",),
        MASKED,
        WHOLE,
    ),
    Sentence(
        FOCUS,
        "section 5.1, Figure 4",
        "attention lies on the eyes more than on other pixels",
        ("eyes",),
        (),
        PERTURB,
        methods=("attention",),
    ),
    Sentence(
        FOCUS,
        "section 5.1, Figure 4",
        "attention lies on the mouth more than on other pixels",
        ("mouth",),
        (),
        PERTURB,
        methods=("attention",),
    ),
    Sentence(
        "two clusters targeting the eyes and one focusing on the mouth and nose region",
        "section 5.1, Figure 4",
        "of most faces each eye lies mostly in a cluster of its own, and mouth and nose mostly in the third",
        (),
        (),
        PERTURB,
        methods=(CLUSTERS,),
    ),
    Sentence(
        "for emotions such as fear, the new models are able to put more emphasis on the important features such as the "
        "mouth",
        "section 5.2, Figure 6",
        "on fearful faces networks trained with Perturb look more at the mouth than the baseline",
        ("mouth",),
        ("fear",),
        PERTURB,
        WHOLE,
    ),
    Sentence(
        "and less emphasis on less important features like the nose",
        "section 5.2, Figure 6",
        "on fearful faces they look less at the nose than the baseline",
        ("nose",),
        ("fear",),
        PERTURB,
        WHOLE,
        more=False,
    ),
    Sentence(
        "our approach enables models to prioritize the most informative facial landmarks",
        "section 6",
        "on all faces they look more at brows, eyes, nose and mouth together than the baseline",
        FEATURES,
        (),
        PERTURB,
        WHOLE,
    ),
)  # fmt: skip

"""Which runs docs/protocol.md asks for: arms on networks with seeds, in the order in which they are run."""

from collections.abc import Sequence
from dataclasses import dataclass

from fer_perturb.errors import UserError

TEN, FIVE = range(10), range(5)
PILOT = 100  # seeds from here on are for the pilot and for exploration


@dataclass(frozen=True)
class Arm:
    """A way of training, by the overrides that make it out of `recipe=study`.

    seeds: with which it is run on each network that has it. hides: it has views of its own.
    """

    overrides: tuple[str, ...]
    seeds: dict[str, range]
    hides: bool = True


PRIMARY = {"seresnet_light": TEN, "vgg16_small": FIVE}
FIRST = {"seresnet_light": FIVE}  # the controls, on the first network
BOTH = {"seresnet_light": FIVE, "vgg16_small": FIVE}
SAMPLE = ("scheme/views=sample", "scheme.inference=original")  # both readings are written; the epoch is chosen by this

# in the order of a block: all arms of a network and a seed, which share phase 1
ARMS = {
    "perturb": Arm(("scheme=perturb", *SAMPLE), PRIMARY),
    "baseline_2x": Arm(("scheme=baseline", "recipe.epochs=8"), PRIMARY, hides=False),
    "position_only_2x": Arm(("scheme=position_only", *SAMPLE, "recipe.epochs=8"), PRIMARY),  # it has no phase 1
    "baseline": Arm(("scheme=baseline",), BOTH, hides=False),
    "position_only": Arm(("scheme=position_only", *SAMPLE), FIRST),
    "perturb_image": Arm(("scheme=perturb_image", *SAMPLE), FIRST),
    "landmarks": Arm(("scheme=landmarks", *SAMPLE), FIRST),
    "moved_maps": Arm(("scheme=moved_maps", *SAMPLE), FIRST),
    "least_attended": Arm(("scheme=least_attended", *SAMPLE), FIRST),
    "extra_erasing": Arm(("scheme=extra_erasing", *SAMPLE), FIRST),
    # four views an image: as many passes as baseline_2x
    "perturb_all": Arm(
        ("scheme=perturb", "scheme.inference=original", "recipe.epochs=2", "scheme.attention.epochs=4"), FIRST
    ),
}
ATTENTION = "attention_only"  # phase 1 of `perturb`, which is a run of its own in the tables
NETWORKS = tuple(PRIMARY)


@dataclass(frozen=True)
class Run:
    """One training to be recorded."""

    arm: str
    network: str
    seed: int

    @property
    def name(self) -> str:
        return f"{self.arm}-{self.network}-seed{self.seed}"

    @property
    def hides(self) -> bool:
        return ARMS[self.arm].hides

    def of(self, arm: str) -> "Run":
        """Another arm's in the same block."""
        return Run(arm, self.network, self.seed)

    def overrides(self) -> tuple[str, ...]:
        """What follows `python -m fer_perturb.train`, without paths and test sets."""
        return ("recipe=study", f"model={self.network}", *ARMS[self.arm].overrides, f"seed={self.seed}")


def plan(
    networks: Sequence[str] = NETWORKS, seeds: Sequence[int] = TEN, arms: Sequence[str] = tuple(ARMS)
) -> list[Run]:
    """The runs, network by network and seed by seed; those of a pilot's seed are those of seed 0.

    Raises UserError for a network or an arm that the protocol does not have.
    """
    for what, given, known in (("networks", networks, NETWORKS), ("arms", arms, tuple(ARMS))):
        if unknown := [name for name in given if name not in known]:
            raise UserError(f"--{what} {' '.join(unknown)}: expected some of {', '.join(known)}.")
    return [
        Run(name, network, seed)
        for network in networks
        for seed in seeds
        for name, arm in ARMS.items()
        if name in arms and (0 if seed >= PILOT else seed) in arm.seeds.get(network, ())
    ]

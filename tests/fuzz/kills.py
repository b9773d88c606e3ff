"""Trainings that are killed (SIGKILL) at random moments: the same command finishes them, with the same bytes."""

from pathlib import Path
from random import Random

from fuzz.forked import LIMIT, Ended
from fuzz.judge import Eyes
from fuzz.world import PERTURB, World

CHAIN = (*PERTURB, "recipe.epochs=4")
WORKERS = (
    "-m",
    *(word for word in CHAIN if not word.startswith("scheme=")),
    "scheme=perturb,baseline",
    "launcher.workers=2",
)
SWEEP = (*WORKERS, "launcher=basic")
PATTERN = "outputs/mine/*/*/*/predictions/*.parquet"


def killed(world: World, words: tuple[str, ...], seed: int, kills: int) -> str:
    """A training killed `kills` times at moments that `seed` draws; what is wrong, or an empty string.

    Of a sweep whose jobs have processes of their own every other kill is of the sweep alone: its jobs have to end by
    themselves, perhaps when the same command is at work again. One that finishes before it has been killed so often is
    followed by another one.
    """
    words = tuple(map(world.named, words))
    for _ in range(2):  # the second one has no modules to import, as those that are killed have not
        world.set_up(("mine", "other"))
        whole = world.forks.command("train", words)
        if whole.status != 0:
            return f"It fails without being killed: {whole.out}{whole.err}"
    expected = _predictions(world.root)
    random, done = Random(seed), 0
    while done < kills:
        world.set_up(("mine", "other"))
        ended: Ended | None = None
        while ended is None or ended.status is None:
            after = random.uniform(0.05, 0.7) * whole.seconds if done < kills else None
            alone = WORKERS[-1] in words[-1:] and done % 2 == 0
            ended = world.forks.command("train", words, kill_after=after, alone=alone)
            if after is None and ended.status is None:
                return f"After {done} kills it did not end in {LIMIT:.0f} s: {ended.out}{ended.err}"
            done += ended.status is None
        if ended.status != 0 or "Traceback" in ended.err:
            return f"After {done} kills it ended with exit status {ended.status}: {ended.out}{ended.err}"
        if _predictions(world.root) != expected:
            return f"After {done} kills it predicts otherwise than without."
    return ""


def _predictions(root: Path) -> dict[str, str]:
    seen = Eyes().look(root)
    return {path.relative_to(root).as_posix(): seen[path.relative_to(root).as_posix()] for path in root.glob(PATTERN)}

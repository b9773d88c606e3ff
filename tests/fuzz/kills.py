"""Chains and sweeps that are killed (SIGKILL) at random moments: the same command finishes them, with the same bytes."""

from pathlib import Path
from random import Random

from fuzz.forked import Ended
from fuzz.judge import Eyes
from fuzz.world import PERTURB, World

CHAIN = (*PERTURB, "recipe.epochs=4")
SWEEP = ("-m", *(word for word in CHAIN if not word.startswith("scheme=")), "scheme=perturb,baseline")
PATTERN = "outputs/mine/*/*/*/predictions/*.parquet"


def killed_chain(world: World, seed: int, kills: int) -> str:
    """All phases of one chain, killed `kills` times on its way; what is wrong, or an empty string."""
    return _killed(world, CHAIN, seed, kills)


def killed_sweep(world: World, seed: int, kills: int) -> str:
    """The same for a sweep of two jobs."""
    return _killed(world, SWEEP, seed, kills)


def _killed(world: World, words: tuple[str, ...], seed: int, kills: int) -> str:
    words = tuple(map(world.named, words))
    whole = _start(world, words)
    expected = _predictions(world.root)
    if whole.status != 0:
        return f"It fails without being killed: {whole.err}"
    random, done = Random(seed), 0
    while done < kills:
        world.set_up(("mine", "other"))
        ended: Ended | None = None
        while done < kills and (ended is None or ended.status is None):
            # most of the kills early, so that one chain takes several of them
            ended = world.forks.command("train", words, kill_after=random.uniform(0, whole.seconds) * random.random())
            done += ended.status is None
        if ended is None or ended.status is None:
            ended = world.forks.command("train", words)
        if ended.status != 0 or "Traceback" in ended.err:
            return f"After {done} kills it ended with exit status {ended.status}: {ended.out}{ended.err}"
        if _predictions(world.root) != expected:
            return f"After {done} kills it predicts otherwise than without."
    return ""


def _start(world: World, words: tuple[str, ...]) -> Ended:
    """From nothing."""
    world.set_up(("mine", "other"))
    return world.forks.command("train", words)


def _predictions(root: Path) -> dict[str, str]:
    seen = Eyes().look(root)
    return {path.relative_to(root).as_posix(): seen[path.relative_to(root).as_posix()] for path in root.glob(PATTERN)}

"""python -m fer_perturb.landmarks: places 68 facial landmarks on each image of a prepared dataset."""

from pathlib import Path

from omegaconf import DictConfig

from fer_perturb.command_line.entry_point import entry_point


def landmarks(config: DictConfig) -> Path:
    """Places the landmarks of the dataset that `config` (conf/landmarks.yaml, composed) names; where they lie."""
    # here, not above, so that --help is fast
    import rich

    from fer_perturb.data.landmarks.placing import place_landmarks, unplaced_table
    from fer_perturb.data.packed.format import LANDMARKS
    from fer_perturb.experiment.dataset import prepared

    data = place_landmarks(prepared(config))
    rich.print(unplaced_table(data, "they have the mean shape"))
    return data.root / LANDMARKS


def report(folders: list[Path], config: DictConfig) -> None:
    """Says where the landmarks lie."""
    for folder in folders:
        print(f"Ready: {folder}")


main = entry_point("landmarks", landmarks, report, goes_on=True)

if __name__ == "__main__":
    main()

"""python -m fer_perturb.report: one HTML page that says whether hiding helps, from the runs that there are."""

from pathlib import Path

from omegaconf import DictConfig

from fer_perturb.command_line.entry_point import entry_point


def make(config: DictConfig) -> Path:
    """Writes the report that `config` (conf/report.yaml, composed) describes; where it lies."""
    # here, not above, so that --help is fast
    from fer_perturb.report.page import write_report

    roots = [config.runs] if isinstance(config.runs, str) else list(config.runs)
    folders = [Path(root).expanduser() for root in roots]
    return write_report(folders, Path(config.out), Path(config.paths.data), pictures=config.pictures)


def report(written: list[Path], config: DictConfig) -> None:
    """Says where the page lies."""
    for path in written:
        print(f"{path} ({path.stat().st_size / 1e6:.1f} MB): open it in a browser.")


main = entry_point("report", make, report)

if __name__ == "__main__":
    main()

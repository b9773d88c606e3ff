"""python -m fer_perturb.collect: all runs as one table."""

from pathlib import Path

from omegaconf import DictConfig

from fer_perturb.command_line.entry_point import entry_point


def collect(config: DictConfig) -> list[Path]:
    """Writes the table that `config` (conf/collect.yaml, composed) describes; its files."""
    # here, not above, so that --help is fast
    from fer_perturb.analysis import collected

    roots = [config.roots] if isinstance(config.roots, str) else list(config.roots)
    frame = collected.collect(*(Path(root).expanduser() for root in roots), where=config.where or "")
    print(f"{len(frame)} runs, {len(frame.columns)} columns")
    return collected.write_frame(frame, Path(config.out))


def report(written: list[list[Path]], config: DictConfig) -> None:
    """Says where the table lies."""
    for files in written:
        for file in files:
            print(f"Written to {file}")


main = entry_point("collect", collect, report)

if __name__ == "__main__":
    main()

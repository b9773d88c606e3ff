"""python -m fer_perturb.predict: a picture in, an emotion out."""

from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from fer_perturb.command_line.entry_point import entry_point
from fer_perturb.errors import UserError, warn

if TYPE_CHECKING:
    from fer_perturb.prediction.results import Results


def predict(config: DictConfig) -> "Results":
    """Judges the pictures that `config` (conf/predict.yaml, composed) names, and writes what is said of them.

    Raises UserError where none of them can be read.
    """
    for key, expected in (("run", "the directory of a finished run"), ("image", "a picture or a folder of pictures")):
        if config[key] is None:
            raise UserError(f"{key}= is missing: expected {expected}, {key}=…")
    # here, not above, so that --help is fast
    from tqdm import tqdm

    from fer_perturb.prediction.pictures import pictures_at
    from fer_perturb.prediction.recogniser import load
    from fer_perturb.prediction.results import Results, write_results
    from fer_perturb.report.face_figure import draw_faces

    pictures = pictures_at(str(config.image))
    recogniser = load(str(config.run))
    bar = tqdm(recogniser.each(pictures, str(config.faces)), "Pictures", total=len(pictures), disable=None)
    results = Results(dict(bar), str(config.faces))
    if not results.read:
        raise UserError(" ".join(str(error) for error in list(results.unread.values())[:3]))
    out = Path(config.out)
    write_results(results, out)
    for file in draw_faces(results, out, at_most=int(config.drawn)):
        results.written.append(file)
    return results


def report(all_results: "list[Results]", config: DictConfig) -> None:
    """Shows the faces as a table, says of what there are none, and where all of it lies."""
    from fer_perturb.report.face_table import print_faces

    for results in all_results:
        print_faces(results)
        for error in results.unread.values():
            warn(str(error))
        for picture in results.faceless:
            warn(f"{picture}: no face was found. faces=whole takes the picture itself as one.")
        for file in results.written:
            print(f"Written to {file}")


main = entry_point("predict", predict, report)

if __name__ == "__main__":
    main()

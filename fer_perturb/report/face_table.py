"""Faces and their emotions as a table."""

from fer_perturb.prediction.results import Results
from fer_perturb.tables.table import Column, Table, number, words
from fer_perturb.tables.terminal import print_table

ROWS = 20
BAR = 10  # characters


def print_faces(results: Results) -> None:
    """Prints the first 20 faces."""
    print_table(face_table(results))


def face_table(results: Results) -> Table:
    """A row a face, at most 20: its emotion, the two likeliest with their bars, and how each view voted."""
    faces = [(picture, n, face) for picture, found in results.read.items() for n, face in enumerate(found, 1)]
    views = any(face.votes for *_, face in faces)
    rows = []
    for picture, place, face in faces[:ROWS]:
        ranked = sorted(face.probabilities.items(), key=lambda item: -item[1])[:2]
        bars = "\n".join(f"{'█' * round(BAR * share):{BAR}} {100 * share:3.0f} % {name}" for name, share in ranked)
        cells = [words(picture), number(place, "d"), words(face.emotion), words(bars)]
        rows.append([*cells, *([words(", ".join(face.votes))] if views else [])])
    headings = ("picture", "face", "emotion", "likeliest", *(["votes of the views"] if views else []))
    return Table.of(
        f"{len(faces)} faces in {len(results.read)} pictures",
        [Column(heading, align="left") for heading in headings],
        rows,
        f"and {len(faces) - ROWS} more" if len(faces) > ROWS else "",
    )

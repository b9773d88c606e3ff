"""Faces and their emotions as a table in the terminal."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from fer_perturb.prediction.results import Results

ROWS = 20
BAR = 10  # characters


def print_faces(results: Results) -> None:
    """A row a face, at most 20: its emotion, the two likeliest with their bars, and how each view voted."""
    faces = [(picture, n, face) for picture, found in results.read.items() for n, face in enumerate(found, 1)]
    table = Table(title=f"{len(faces)} faces in {len(results.read)} pictures")
    views = any(face.votes for *_, face in faces)
    for heading in ("picture", "face", "emotion", "likeliest", *(["votes of the views"] if views else [])):
        table.add_column(heading, overflow="fold")
    for picture, number, face in faces[:ROWS]:
        ranked = sorted(face.probabilities.items(), key=lambda item: -item[1])[:2]
        bars = "\n".join(
            f"{'█' * round(BAR * share):{BAR}} {100 * share:3.0f} % {escape(name)}" for name, share in ranked
        )
        votes = [escape(", ".join(face.votes))] if views else []
        table.add_row(escape(picture), str(number), escape(face.emotion), bars, *votes)
    console = Console(width=None if Console().is_terminal else 150)
    console.print(table)
    if len(faces) > ROWS:
        console.print(f"and {len(faces) - ROWS} more")

"""Errors for people."""


class UserError(Exception):
    """Something that the person at the keyboard can put right.

    The message says what was wrong, where (file, row or key), what was expected, and what to do.
    The entry points print it without a traceback.
    """


def first_line(error: Exception) -> str:
    """What another library says of an error, in one line that ends as a sentence does."""
    line = (str(error).strip() or type(error).__name__).splitlines()[0]
    return line if line.endswith(".") else f"{line}."


def warn(message: str) -> None:
    """Prints what the person at the keyboard should know although the work goes on."""
    import rich  # not above: it takes longer than all else that --help needs
    from rich.markup import escape

    rich.print(f"[yellow]{escape(message)}[/yellow]")

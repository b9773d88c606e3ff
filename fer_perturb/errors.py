"""Errors for people."""


class UserError(Exception):
    """Something that the person at the keyboard can put right.

    The message says what was wrong, where (file, row or key), what was expected, and what to do.
    The entry points print it without a traceback.
    """


def warn(message: str) -> None:
    """Prints what the person at the keyboard should know although the work goes on."""
    import rich  # not above: it takes longer than all else that --help needs
    from rich.markup import escape

    rich.print(f"[yellow]{escape(message)}[/yellow]")

"""Errors for people."""


class UserError(Exception):
    """Something that the person at the keyboard can put right.

    The message says what was wrong, where (file, row or key), what was expected, and what to do.
    The entry points print it without a traceback.
    """


class OtherProcessError(UserError):
    """What another of the processes that train together has failed at; it is told there."""


def first_line(error: Exception) -> str:
    """What another library says of an error, in one line that ends as a sentence does."""
    line = (str(error).strip() or type(error).__name__).splitlines()[0]
    return line if line.endswith(".") else f"{line}."


def say(message: str, style: str = "") -> None:
    """Prints a line as it is: no word in it is markup, and no path in it is broken, so that it can be copied."""
    import rich  # not above: it takes longer than all else that --help needs

    rich.get_console().print(message, style=style, markup=False, soft_wrap=True)


def warn(message: str) -> None:
    """Prints what the person at the keyboard should know although the work goes on."""
    say(message, "yellow")

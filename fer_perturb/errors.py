"""Errors for people."""


class UserError(Exception):
    """Something that the person at the keyboard can put right.

    The message says what was wrong, where (file, row or key), what was expected, and what to do.
    The entry points print it without a traceback.
    """

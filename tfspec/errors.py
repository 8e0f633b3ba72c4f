"""The one exception for what a user can put right."""


class UserError(ValueError):
    """Something the user gave cannot be used; the message says what was received and what to do.

    The command line prints it as one line and exits with code 2.
    """

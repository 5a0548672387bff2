"""Errors that are of one question alone: whoever asks several goes on with the next."""


class NotFitted(ValueError):
    """A fit came to no end: it did not converge, or its loss is not finite."""


class AlreadyOpened(ValueError):
    """The run opened this test before."""


class Unfinished(ValueError):
    """The run opened this test, and its report, which was cut off, is to be made first."""

"""What goes wrong by the user's or the author's hand: one sentence, no traceback on the command line."""


class CourseError(Exception):
    """A sentence that tells the reader what is wrong and what to do."""


class BuildError(CourseError):
    """A lesson source that cannot be built, or a notebook that cannot be executed."""


class Doubt(UserWarning):
    """A sentence that says why a measured number should not be trusted."""

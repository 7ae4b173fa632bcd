"""Banks of answers: for each exercise, wrong ones with the words that their hint must hold, and right ones."""

from dataclasses import dataclass, field


@dataclass
class Bank:
    """wrong: list of (answer, words of the hint); right: answers that must be accepted."""

    wrong: list = field(default_factory=list)
    right: list = field(default_factory=list)

    def refuse(self, *words: str):
        """Enter the decorated function as a wrong answer whose hint must hold these words."""

        def enter(fn):
            self.wrong.append((fn, words))
            return fn

        return enter

    def accept(self, fn):
        """Enter the decorated function as a right answer."""
        self.right.append(fn)
        return fn

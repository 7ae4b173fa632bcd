"""Sentences that cannot lie: {{ claim: A > B }} is checked against the ledger, seed by seed, and then taken out.

{{ difference: A - B }} is the paired difference; `unclaimed` finds sentences that compare numbers without a claim.
"""

import math
import re
import statistics
from dataclasses import dataclass

from sslcourse import ledger
from sslcourse.course import Lesson
from sslcourse.errors import BuildError

REFERENCE = re.compile(r"\{\{\s*(.+?)\s*\}\}", re.DOTALL)
CLAIM = r"\{\{\s*claim(?:\s+\w+)?\s*:.*?\}\}"
NUMBER = r"\d+(?:\.\d+)?"
STATEMENT = re.compile(
    rf"(?P<left>.+?) (?:(?P<sign>[<>]) (?P<right>.+?)(?: by (?P<by>{NUMBER}))?"
    rf"|~ (?P<near>.+) within (?P<within>{NUMBER}))"
)
PROFILES = ("cpu", "gpu")  # those that are measured
FEWEST = 3  # seeds that tell a spread
COMPARING = (
    "ahead", "above", "below", "beat", "beats", "beating", "better", "best", "worse", "worst", "poorer", "level",
    "loses", "lose", "nothing", "no more", "no better", "falls", "fall", "rises", "rise", "as good as", "higher",
    "highest", "lower", "lowest", "more than", "less than", "hardly", "gains", "gain", "overtakes", "wins", "behind",
    "helps", "pays", "equal", "equally", "same", "far from", "stronger", "weaker", "steadier", "steadiest", "costs",
)  # fmt: skip
COMPARES = re.compile(rf"\b(?:{'|'.join(COMPARING)})\b", re.IGNORECASE)
# Where a sentence ends, outside of references: a full stop and what closes behind it, a blank line, the line before a
# list item, a heading or a table's row, and the edges of <details>.
SENTENCE_END = r"(?<=[.!?])[)\"'*_]*(?:\s|$)|\n\s*\n|\n(?=\s*(?:(?:[-*+]|\d+\.|#+)\s|\|))|</?(?:details|summary)>"


@dataclass(frozen=True)
class Claim:
    """One claim: left > right by at least the margin, left < right likewise, or left ~ right within the margin."""

    text: str
    profile: str  # the only one whose ledger is asked; "" for all that were measured
    left: str
    sign: str
    right: str  # a key or a number
    margin: float

    @property
    def keys(self) -> list[str]:
        """The ledger's keys that it names."""
        return [self.left] if is_number(self.right) else [self.left, self.right]


def is_number(text: str) -> bool:
    return re.fullmatch(rf"[-+]?{NUMBER}", text) is not None


def parsed(markdown: str) -> list[Claim]:
    """The claims in a cell's text. BuildError for one that does not read as a claim."""
    claims = []
    for written in re.findall(CLAIM, markdown, re.DOTALL):
        head, _, statements = " ".join(written.strip("{}").split()).partition(":")
        profile = head.removeprefix("claim").strip()
        if profile and profile not in PROFILES:
            raise BuildError(f"a claim's profile is {profile!r}; it must be {' or '.join(PROFILES)}.")
        claims += [statement(text.strip(), profile) for text in statements.split(";")]
    return claims


def statement(text: str, profile: str) -> Claim:
    """One claim from its text, such as "A > B by 0.1"."""
    match = STATEMENT.fullmatch(text)
    if not match:
        raise BuildError(f"the claim {text!r} must read A > B, A < B, either with by NUMBER, or A ~ B within NUMBER.")
    margin = float(match["by"] or match["within"] or 0)
    return Claim(text, profile, match["left"], match["sign"] or "~", match["right"] or match["near"], margin)


def broken(markdown: str, lesson: Lesson, unmeasured: bool) -> list[str]:
    """A sentence for each claim in a cell's text, and each ledger of the lesson, that does not bear the claim out.

    unmeasured: claims whose keys are not in a ledger yet are let through. BuildError as in `parsed`.
    """
    if not (claims := parsed(markdown)):  # the ledgers are read for those alone who claim something
        return []
    contents = {profile: ledger.results(lesson.ledger(profile)) for profile in PROFILES}
    sentences = []
    for claim in claims:
        default = [profile for profile in PROFILES if profile == "cpu" or contents[profile]]
        for profile in [claim.profile] if claim.profile else default:
            entries = (contents[profile] or {"entries": {}})["entries"]
            if unmeasured and not entries.keys() >= set(claim.keys):
                continue
            try:
                check(claim, entries)
            except BuildError as error:
                sentences.append(f"in the {profile} ledger the claim {claim.text!r} fails: {error}")
    return sentences


def check(claim: Claim, entries: dict) -> None:
    """Hold a claim against a ledger's entries; BuildError, with the numbers, where it fails.

    The mean over the seeds must clear what is claimed by two standard errors; for > and <, one seed in five may differ.
    """
    values = paired(claim.left, claim.right, entries)
    count, mean, error = len(values), statistics.fmean(values), standard_error(values)
    direction = -1 if claim.sign == "<" else 1
    if claim.sign == "~":
        agree = sum(abs(value) <= claim.margin for value in values)
        holds, where = abs(mean) + 2 * error <= claim.margin, f"within {claim.margin:g}"
    else:
        agree = sum(direction * value > claim.margin for value in values)
        holds = direction * mean - claim.margin > 2 * error and agree >= count - count // 5
        where = f"{'below' if direction < 0 else 'above'} {direction * claim.margin or 0:g}"
    if not holds:
        raise BuildError(
            f"the mean difference is {mean:+.4g} with a standard error of {error:.2g}, "
            f"and the difference is {where} in {agree} of {count} seeds."
        )


def paired(left: str, right: str, entries: dict) -> list[float]:
    """Left less right, seed by seed; right is a key or a number. BuildError for missing keys and too few seeds."""
    series = []
    for key in [left] if is_number(right) else [left, right]:
        if key not in entries:
            raise BuildError(f"the ledger has no {key!r}; measure the lesson anew or mend the key.")
        series.append(entries[key]["values"])
        if len(series[-1]) < FEWEST:
            raise BuildError(f"{key!r} has {len(series[-1])} seeds; a comparison needs at least {FEWEST}.")
    if is_number(right):
        return [value - float(right) for value in series[0]]
    if len(series[0]) != len(series[1]):
        raise BuildError(f"{left!r} has {len(series[0])} seeds and {right!r} has {len(series[1])}; they must be pairs.")
    return [one - other for one, other in zip(*series, strict=True)]


def standard_error(values: list[float]) -> float:
    return statistics.stdev(values) / math.sqrt(len(values))


def without(markdown: str) -> str:
    """A cell's text without its claims, and without the gaps that they would leave."""

    def gap(match: re.Match) -> str:
        """The widest space around the claims, in lines; none at the text's ends and before punctuation."""
        after = markdown[match.end() : match.end() + 1]
        if match.start() == 0 or not after or after in ".,;:!?)":
            return ""
        spaces = re.split(CLAIM, match[0], flags=re.DOTALL)
        return max(reversed(spaces), key=lambda space: space.count("\n"))

    return re.sub(rf"\s*(?:{CLAIM}\s*)+", gap, markdown, flags=re.DOTALL)


def operands(what: str) -> list[str]:
    """The two keys of {{ difference: A - B }}."""
    keys = [key.strip() for key in what.split(" - ")]
    if len(keys) != 2 or any(map(is_number, keys)):
        raise BuildError(f"the difference {what!r} must read A - B, of two keys, with spaces around the minus.")
    return keys


def difference(what: str, entries: dict, unmeasured: bool) -> str:
    """The paired mean difference and its standard error, as "+0.05 ± 0.01", with the first key's digits, at least two.

    unmeasured: "" where the ledger lacks a key. BuildError as in `operands` and `paired`.
    """
    left, right = operands(what)
    if unmeasured and not {left, right} <= entries.keys():
        return ""
    values, digits = paired(left, right, entries), max(2, entries[left]["digits"])
    text = f"{statistics.fmean(values):+.{digits}f} ± {standard_error(values):.{digits}f}"
    return ledger.with_unit(text, entries[left]["unit"])


def unclaimed(markdown: str) -> list[str]:
    """The sentences of a cell that compare numbers of the ledger, none of which a claim of the cell names."""
    claimed = {key for claim in parsed(markdown) for key in claim.keys}
    found = []
    for sentence in sentences(without(markdown)):
        keys = {key for what in REFERENCE.findall(sentence) for key in referenced(what)}
        if keys and not keys & claimed and COMPARES.search(REFERENCE.sub("", sentence)):
            found.append(sentence)
    return found


def sentences(markdown: str) -> list[str]:
    """A text's sentences, each on one line, with the references in them whole."""
    headings_apart = re.sub(r"^(#+ .*)$", r"\1\n", markdown, flags=re.MULTILINE)
    reference_or_end = re.compile(rf"{REFERENCE.pattern}|{SENTENCE_END}", re.DOTALL)
    pieces = reference_or_end.sub(lambda match: match[0] if match[1] else "\0", headings_apart).split("\0")
    return [" ".join(piece.split()) for piece in pieces if piece.strip()]


def referenced(what: str) -> list[str]:
    """The ledger's keys that a reference names: none where it is a fact or a table."""
    kind, _, rest = what.partition(":")
    if kind in ("course", "table"):
        return []
    return operands(rest) if kind == "difference" else [what]

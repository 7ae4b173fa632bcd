"""Numbers that cannot lie: finds measured numbers that somebody typed into prose."""

import re

from sslcourse import course

UNIT = r"(?:s|ms|sec|seconds?|min|minutes?|hours?|x|times|GB|MB|kB|GHz|views/s|samples/s|percent|points?)"
IN_UNITS = rf"\s*(?:[%×]|{UNIT}\b)"
MEASURED = re.compile(rf"(?<![\w.])(?<!\w-)(?:\d+\.\d+|\d+(?={IN_UNITS}))")
# What may hold numbers: code, formulas, links, markup, references to the ledger, what the builder writes.
EXEMPT = [
    r"<!-- (?:ledger|course|number):.*?<!-- end -->",
    r"<!-- claim:.*?-->",
    r"```.*?```",
    r"<code>.*?</code>",
    r"`(?:(?!\n\s*\n)[^`])*`",
    r"\$\$.*?\$\$",
    r"\$(?:(?!\n\s*\n)[^$])*\$",
    r"\]\([^)]*\)",
    r"https?://\S+",
    r"\{\{.*?\}\}",
    r"<[^>]*>",
]


def found(markdown: str) -> list[str]:
    """Decimals, percentages and numbers with a unit in prose; paragraphs that cite a source ([@key]) may have them."""
    for pattern in EXEMPT:
        markdown = re.sub(pattern, " ", markdown, flags=re.DOTALL)
    ids = "|".join(re.escape(lesson.id) for lesson in course.lessons())
    markdown = re.sub(rf"(?<![\w.-])(?:{ids})(?!\.?\d)(?!{IN_UNITS})", " ", markdown)
    paragraphs = [paragraph for paragraph in re.split(r"\n\s*\n", markdown) if "[@" not in paragraph]
    return [match for paragraph in paragraphs for match in MEASURED.findall(paragraph)]

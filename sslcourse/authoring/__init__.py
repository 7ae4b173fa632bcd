"""From an author's source to a student's notebook, and from a lesson to its ledger."""

from sslcourse.authoring.builder import blanked, build, execute, stale, write_readme
from sslcourse.authoring.experiment import measure
from sslcourse.authoring.slides import write_slides
from sslcourse.authoring.source import answers, solved

__all__ = ["answers", "blanked", "build", "execute", "measure", "solved", "stale", "write_readme", "write_slides"]

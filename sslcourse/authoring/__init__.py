"""From an author's source to a student's notebook, and from a lesson to its ledger."""

from sslcourse.authoring.builder import blanked, build, execute, stale, write_pages
from sslcourse.authoring.measuring import measure
from sslcourse.authoring.slides import write_slides
from sslcourse.authoring.source import solved

__all__ = ["blanked", "build", "execute", "measure", "solved", "stale", "write_pages", "write_slides"]

"""Authoring: from a lesson's source to the student's notebook, to slides, and to its ledger."""

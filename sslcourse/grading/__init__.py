"""Grading: a student's answers are set into the pristine lesson and judged by nbval."""

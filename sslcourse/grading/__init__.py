"""Grading: a student's answers, set into the pristine lesson, judged by nbval."""

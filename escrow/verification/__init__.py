"""Verification: the ladder, examinations of deposits, findings, signed reports."""

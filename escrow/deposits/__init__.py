"""Intake: a product's source and materials become sealed, numbered, logged deposits."""

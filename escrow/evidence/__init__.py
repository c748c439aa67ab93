"""Evidence: signed statements that a stranger checks offline with programs we did not write."""

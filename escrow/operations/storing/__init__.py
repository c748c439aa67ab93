"""The two stores as the settings want them, what they must hold, and the loop that keeps it so."""

"""Stores beside the one in files, the second copy of everything, and the scrub that reads both."""

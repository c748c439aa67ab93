"""The escrow service: receives, seals, logs, verifies and releases software deposits."""

__version__ = "0.1.0"

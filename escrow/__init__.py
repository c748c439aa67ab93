"""The escrow service: receives, seals, logs, verifies and releases software deposits."""

__version__ = "0.1.0"

# On every answer of the service's API: whose it is, and of which version.
VERSION_HEADER = "Escrow-Version"

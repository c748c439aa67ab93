"""What every room stands on: errors, time, names, digests, signatures, settings, the database."""

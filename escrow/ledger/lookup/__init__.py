"""Where a leaf stands, by its hash: what Sigsum's programs ask a log by."""

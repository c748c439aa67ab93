"""That a deposit is owed and did not come: found by the clock, signed, logged, told."""

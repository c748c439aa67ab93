"""Parts that ship for tests: real implementations with known keys, clocks that stand still."""

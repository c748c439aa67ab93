"""The ledger: what happened, in an order nobody can rewrite, provable to a stranger offline."""

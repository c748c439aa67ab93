"""Endings: holds, withdrawal of one deposit, retention, destruction of all that is kept."""

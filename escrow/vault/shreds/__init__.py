"""Shredding: what makes a payload unreadable for ever, and what then may be removed."""

"""Custody kept alive: drills, quarterly sessions, re-sharing, and what they say of the agents."""

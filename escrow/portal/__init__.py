"""The service over HTTP: REST under /api/v1, git and tus beside it.

Routes are five to fifteen lines: typed dependencies, one call into a room, documented errors.
The one table from errors to statuses is in ``problems.py``; no room knows HTTP.
"""

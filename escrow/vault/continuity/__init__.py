"""Continuity copies: what stays openable when the operator and his key manager are gone."""

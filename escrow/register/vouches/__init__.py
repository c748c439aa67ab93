"""Agents vouch for the service's public keys, so that papers outlive a change of them."""

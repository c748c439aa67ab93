"""Durable jobs: what was enqueued with a change is done, once, whatever dies in between."""

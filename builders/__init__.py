"""Trial builds of deposited software: detection, plans, the sandbox and what came out.

This package knows nobody above it: it takes orders (:mod:`builders.orders`) and returns findings
and results. It has a small error root of its own (:mod:`builders.errors`).
"""

"""Agreements as the service holds them: every version kept, signed by whom, in force or what lacks.

What a text means is decided in ``agreements``; who may call what is decided above, by ``parties``.
"""

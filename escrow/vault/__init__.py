"""Sealing, headers, shares, keys and stored bytes.

The room guarantees that plaintext and file keys leave it only through functions that say so, that
whatever it opens was authenticated first, and that what it stored is on the disk. It decides
nothing: whether something may be opened is said by a :class:`escrow.vault.permits.Permit`.
"""

"""The inspector: a program of the standard library that runs inside the sandbox.

It reads the parts of one deposit from standard input, unpacks them below one root without ever
leaving it or following a link, looks at them, and prints one bounded JSON document. It runs no
file of a deposit. Its output is still hostile to the reader: a parser here may be deceived or
broken, and then the document says what the deposit wants; :mod:`builders.inspection` checks it.
"""

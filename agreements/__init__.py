"""What the parties agreed, as a file that a lawyer reads and a program obeys.

A pure package: text in, values and findings out. It opens no socket, no database and no file but
its own templates and schema, and it knows neither the service nor the trial builds. What an
agreement *means* is decided here; who may file it and when it is in force is the register's.
"""

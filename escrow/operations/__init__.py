"""Composition roots: the command line, the processes, and the graph of objects they run on."""

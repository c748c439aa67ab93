"""The keyholder: a process of its own that alone holds what opens, and alone signs the log."""

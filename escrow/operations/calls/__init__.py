"""How the processes of one installation ask each other: one wire, two ways to reach a process."""

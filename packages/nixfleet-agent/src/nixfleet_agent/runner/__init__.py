"""The runner: one process per command. It outlives any restart of the resident."""

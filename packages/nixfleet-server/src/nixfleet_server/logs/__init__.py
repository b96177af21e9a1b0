"""The logs of runs: append-only files, written by one thread, durable before they are acknowledged."""

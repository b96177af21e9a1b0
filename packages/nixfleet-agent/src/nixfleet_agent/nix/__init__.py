"""What Nix tells: its structured log, and what a host's files say about its generations. Nothing here runs a program."""

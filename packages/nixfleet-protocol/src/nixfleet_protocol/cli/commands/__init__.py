"""One file for each command of `nixfleet`: its first line is its help, `arguments` its options, `do` the work."""

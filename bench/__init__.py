"""Every figure the documentation quotes is one command: `hatch run bench NAME`."""

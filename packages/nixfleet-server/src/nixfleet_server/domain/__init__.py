"""Rules without effects: no clock, socket, file or database."""

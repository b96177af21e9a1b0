"""What may be sent and received when, on one connection: both ends, without sockets, clocks or files."""

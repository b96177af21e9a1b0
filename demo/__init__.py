"""A whole fleet on loopback: a server, three agents and a git repository they are configured from."""

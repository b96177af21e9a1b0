"""The history of the database's schema. HEAD is its newest version, so that a start need not load the tool to look."""

HEAD = "0003"

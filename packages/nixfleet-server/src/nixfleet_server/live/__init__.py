"""The fleet as it is now: who is connected, what runs, who watches. All of it on the event loop, so without locks."""

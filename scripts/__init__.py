"""What `hatch run` calls that is neither product nor test."""

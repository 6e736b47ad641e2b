"""What a call did, as lines, and the same lines stepped again. Never here: files."""

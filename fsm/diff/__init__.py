"""What changed between two specs: in their text, in what they do, and for recorded calls. Never here: files, git."""

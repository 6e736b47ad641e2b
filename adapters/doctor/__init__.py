"""What stands between a configuration and its first call: tried from here, each finding with its cure."""

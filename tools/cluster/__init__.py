"""Several nodes behind HAProxy with Redis, as real processes on one machine: for tests, and for a rolling restart."""

"""Every run of a spec in its world, what must hold, and shortest runs where it does not."""

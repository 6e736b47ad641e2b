"""The configuration of `turnspec serve`, read and checked. Never here: acting on it."""

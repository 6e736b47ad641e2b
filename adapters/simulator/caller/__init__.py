"""A simulated caller: what it says, when, and what it heard."""

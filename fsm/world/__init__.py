"""Everything around a call, as a model that moves. Never here: what must hold."""

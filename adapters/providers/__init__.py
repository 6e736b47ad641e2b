"""How a realtime model is spoken to: one package for each protocol."""

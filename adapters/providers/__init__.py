"""How a realtime model is spoken to: the seam (`provider`), and one package for each protocol."""

"""How a caller is heard and spoken to: one package for each kind of line."""

"""How a caller is heard and spoken to: the seam (`line`), and one package for each kind of line."""

"""What only maintainers use: the second opinion, mutants, acceptance of recordings, generated pages."""

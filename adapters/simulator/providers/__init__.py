"""The provider's end of each protocol."""

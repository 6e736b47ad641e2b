"""What an audit has found, as values, and its forms that are plain text."""

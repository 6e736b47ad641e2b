"""How each event of a log changes what is known of its conversation, and what was observed."""

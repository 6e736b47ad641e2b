"""The machine of a call: ids to variants, one pure step, the compiled table. Never here: text, searching."""

"""The other side of call control: Asterisk's manager and REST interface, as docs/facts/asterisk_control.md has them."""

"""Specs in editors: a language server over stdio. What is said about a spec is of fsm.language (.cursor, .assist)."""

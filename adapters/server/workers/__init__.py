"""Several processes that share the calls of one server: a supervisor, and its workers."""

"""Several machines: what their servers know of calls, shared through Redis or Valkey and nothing else."""

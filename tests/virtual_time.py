"""The virtual-time loop for tests; it lives in adapters.virtual_time, because `turnspec test` runs on it, too."""

from adapters.virtual_time import GRACE_S, VirtualTimeLoop

__all__ = ["GRACE_S", "VirtualTimeLoop"]

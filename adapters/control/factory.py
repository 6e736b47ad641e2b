"""The one call control that a configuration asks for, or none."""

from __future__ import annotations

from adapters.control.ami import AmiControl
from adapters.control.ari import AriControl
from adapters.control.control import CallControl
from adapters.control.settings import ControlSettings


def control_of(settings: ControlSettings) -> CallControl | None:
    """Not started yet. None: the dialplan alone acts, by the result. ControlError: turnspec[ari] is not installed."""
    if settings.ami is not None:
        return AmiControl(settings, settings.ami)
    if settings.ari is not None:
        return AriControl(settings, settings.ari)
    return None

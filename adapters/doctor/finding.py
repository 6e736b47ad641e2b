"""A check's result as data."""

from __future__ import annotations

from typing import Literal

import attrs

Status = Literal["good", "warning", "bad", "skipped"]


@attrs.frozen
class DoctorFinding:
    """`what` was looked at, in a word or two; `detail` is what was found; `cure` is for what is not good."""

    what: str
    status: Status
    detail: str
    cure: str = ""

    def as_json(self) -> dict[str, str]:
        return {"check": self.what, "status": self.status, "detail": self.detail, "cure": self.cure}


def good(what: str, detail: str) -> DoctorFinding:
    return DoctorFinding(what, "good", detail)


def bad(what: str, detail: str, cure: str) -> DoctorFinding:
    return DoctorFinding(what, "bad", detail, cure)


def warning(what: str, detail: str, cure: str) -> DoctorFinding:
    return DoctorFinding(what, "warning", detail, cure)


def skipped(what: str, detail: str) -> DoctorFinding:
    return DoctorFinding(what, "skipped", detail)

"""A run as JUnit's XML, for a CI that shows it: a test case for each fault that could be, failed where there is one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from xml.etree import ElementTree

from adapters.kit.faults import CallFault

_NO_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd]")


def write_junit(
    path: Path, suite: str, checks: Iterable[str], faults: Sequence[CallFault], failing: Iterable[str], seconds: float
) -> None:
    """`checks`: the names of what was looked for. OSError: the file cannot be written."""
    failing = frozenset(failing)
    names = list(dict.fromkeys((*checks, *(each.kind for each in faults))))
    found = {name: [each for each in faults if each.kind == name] for name in names}
    failed = [name for name in names if name in failing and found[name]]
    root = ElementTree.Element("testsuites")
    top = ElementTree.SubElement(
        root, "testsuite", name=suite, tests=str(len(names)), failures=str(len(failed)), errors="0",
        time=f"{seconds:.3f}",
    )  # fmt: skip
    for name in names:
        case = ElementTree.SubElement(top, "testcase", classname=suite, name=name, time="0.000")
        texts = [_NO_XML.sub("?", str(each)) for each in found[name]]
        if name in failed:
            failure = ElementTree.SubElement(case, "failure", message=texts[0], type=name)
            failure.text = "\n".join(texts)
        elif texts:
            ElementTree.SubElement(case, "system-out").text = "\n".join(texts)
    path.write_bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))

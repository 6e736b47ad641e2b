"""What a call is told to do, as TwiML: stream it to us, dial somebody, reject it. Escaped by the XML library."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Literal
from xml.etree import ElementTree

import attrs
from attrs.validators import ge, in_, le, matches_re

CONTENT_TYPE: Final = "text/xml; charset=utf-8"
_NOT_XML: Final = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Noun = Literal["Number", "Sip", "Client"]
"""What `<Dial>` reaches: a number of the public network, a SIP address, a client of the account's."""


@attrs.frozen(kw_only=True)
class DialTarget:
    """Who a call is transferred to. From the configuration, never from a model."""

    address: str = attrs.field(validator=matches_re(r"[^\s<>\"']{1,256}"))
    noun: Noun = attrs.field(default="Number", validator=in_(("Number", "Sip", "Client")))
    caller_id: str = ""
    """What the other side sees; empty: the caller's own."""
    ring_s: int = attrs.field(default=30, validator=[ge(5), le(600)])


def _document(root: ElementTree.Element) -> str:
    return '<?xml version="1.0" encoding="UTF-8"?>' + ElementTree.tostring(root, encoding="unicode")


def _xml_text(text: str) -> str:
    """Without what no XML document may hold, escaped or not."""
    return _NOT_XML.sub("", text)


def stream(url: str, parameters: Mapping[str, str]) -> str:
    """Both ways, until we close the stream; then the call's next instruction, here its end."""
    response = ElementTree.Element("Response")
    connect = ElementTree.SubElement(response, "Connect")
    element = ElementTree.SubElement(connect, "Stream", url=url)
    for name, value in parameters.items():
        ElementTree.SubElement(element, "Parameter", name=_xml_text(name), value=_xml_text(value))
    return _document(response)


def reject() -> str:
    """Not answered: the caller hears that the line is busy, and it costs nothing."""
    response = ElementTree.Element("Response")
    ElementTree.SubElement(response, "Reject", reason="busy")
    return _document(response)


def dial(target: DialTarget) -> str:
    """Rings `target`; when that ends, so does the call."""
    response = ElementTree.Element("Response")
    verb = ElementTree.SubElement(response, "Dial", timeout=str(target.ring_s))
    if target.caller_id:
        verb.set("callerId", target.caller_id)
    ElementTree.SubElement(verb, target.noun).text = target.address
    return _document(response)

"""The webhook from a plain request to a plain answer: what TwiML says, who is refused, and with which words."""

from __future__ import annotations

import json
from urllib.parse import parse_qsl, urlencode, urlsplit
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.lines.twilio.gate import TOKEN, Gate, TwilioRefusal
from adapters.lines.twilio.settings import TwilioSettings
from adapters.lines.twilio.signature import signature
from adapters.lines.twilio.twiml import DialTarget, dial
from adapters.lines.twilio.webhook import FIELDS_MAX, HttpRequest, HttpResponse, Webhook, form_of

SECRET = "0123456789abcdef"
SETTINGS = TwilioSettings(public_url="https://agent.example.com/", account_sid="AC1", auth_token=SECRET)
FORM = [("CallSid", "CA1"), ("AccountSid", "AC1"), ("From", "+49301"), ("To", "+49302"), ("CallStatus", "ringing")]


class Desk:
    """A webhook, and what Twilio would ask it."""

    def __init__(self, full: str | None = None) -> None:
        self.now_s = 1_000_000.0
        self.gate = Gate(SETTINGS, lambda: self.now_s)
        self.webhook = Webhook(SETTINGS, self.gate, lambda: full)

    def ask(self, url: str = "/twiml", form: list[tuple[str, str]] | None = None, method: str = "POST") -> HttpResponse:
        form = FORM if form is None else form
        if method == "GET":
            url, form = f"{url}?{urlencode(form)}", []
        signed = signature(SECRET, "https://agent.example.com" + url, form)
        return self.webhook.answer(
            HttpRequest(method=method, url=url, headers={"x-twilio-signature": signed}, form=form)
        )


def parameters(answer: HttpResponse) -> dict[str, str]:
    assert (answer.status, answer.content_type) == (200, "text/xml; charset=utf-8")
    [stream] = ElementTree.fromstring(answer.body).findall("./Connect/Stream")
    assert stream.attrib == {"url": "wss://agent.example.com/audio"}
    return {each.attrib["name"]: each.attrib["value"] for each in stream.findall("Parameter")}


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_call_is_streamed_to_us_with_a_token_and_what_twilio_says_of_it(method: str) -> None:
    desk = Desk()
    found = parameters(desk.ask(method=method))
    assert desk.gate.redeem(found.pop(TOKEN), "CA1") is None
    assert found == {"From": "+49301", "To": "+49302"}
    assert not desk.gate.refused


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_parameters_of_ones_own_go_along_and_none_of_twilios_other_ones(method: str) -> None:
    desk = Desk()
    url = "/twiml" if method == "GET" else f"/twiml?agent=sales&{TOKEN}=forged&From=nobody"
    own = [("agent", "sales"), (TOKEN, "forged"), ("a b", "c")] if method == "GET" else []
    found = parameters(desk.ask(url, [*FORM, ("ApiVersion", "2010"), *own], method))
    assert desk.gate.redeem(found.pop(TOKEN), "CA1") is None
    assert found == {"From": "+49301", "To": "+49302", "agent": "sales"}


def test_what_does_not_fit_in_a_parameter_is_left_out_and_the_call_is_taken() -> None:
    many = [(f"p{n}", "x") for n in range(40)]
    found = parameters(Desk().ask("/twiml?" + urlencode([("note", "x" * 500), *many])))
    assert "note" not in found
    assert len(found) == 3 + 31
    assert all(len(name) + len(value) < 500 for name, value in found.items())


@given(st.text(max_size=60).filter(lambda text: text.isprintable()), st.text(max_size=60))
def test_no_text_of_a_caller_breaks_out_of_the_xml(name: str, anything: str) -> None:
    text = f'"/><Say>{name}</Say>&<!--{anything}]]>'
    body = form_of(urlencode([*FORM, ("CallerName", text)], errors="surrogatepass").encode())
    answer = Desk().ask(form=list(body))
    assert [element.tag for element in ElementTree.fromstring(answer.body).iter()].count("Say") == 0
    assert name.strip() in parameters(answer)["CallerName"]


def test_a_request_that_is_not_signed_is_refused_counted_and_told_the_cure() -> None:
    desk = Desk()
    answer = desk.webhook.answer(HttpRequest(method="POST", url="/twiml", headers={}, form=FORM))
    assert answer.status == 403
    assert "twilio.public_url" in json.loads(answer.body)["cure"]
    assert SECRET.encode() not in answer.body
    assert desk.gate.refused == {TwilioRefusal.BAD_SIGNATURE: 1}


def test_a_signature_of_other_fields_or_another_path_is_refused() -> None:
    desk = Desk()
    signed = signature(SECRET, "https://agent.example.com/twiml", FORM)
    headers = {"x-twilio-signature": signed}
    for url, form in (("/twiml", [*FORM, ("a", "b")]), ("/twiml?a=b", FORM), ("/twiml", [])):
        assert desk.webhook.answer(HttpRequest(method="POST", url=url, headers=headers, form=form)).status == 403
    # The form of a GET is not signed, and not looked at.
    signed = signature(SECRET, "https://agent.example.com/twiml")
    request = HttpRequest(method="GET", url="/twiml", headers={"x-twilio-signature": signed}, form=FORM)
    assert desk.webhook.answer(request).status == 400


@pytest.mark.parametrize(
    ("form", "status", "why"),
    [
        ([("CallSid", ""), *FORM[1:]], 400, TwilioRefusal.BAD_REQUEST),
        ([("CallSid", "../x"), *FORM[1:]], 400, TwilioRefusal.BAD_REQUEST),
        ([FORM[0], ("AccountSid", "AC2")], 403, TwilioRefusal.OTHER_ACCOUNT),
    ],
)
def test_what_is_signed_and_still_no_call_of_ours(form: list[tuple[str, str]], status: int, why: TwilioRefusal) -> None:
    desk = Desk()
    assert desk.ask(form=form).status == status
    assert desk.gate.refused == {why: 1}


def test_more_fields_than_twilio_has_are_refused() -> None:
    assert Desk().ask("/twiml?" + "&".join(f"a{n}=b" for n in range(FIELDS_MAX + 1))).status == 400
    with pytest.raises(ValueError, match="Max number"):
        form_of(b"a=b&" * (FIELDS_MAX + 1))
    with pytest.raises(ValueError, match="65536"):
        form_of(b"a" * 65_537)


def test_another_method_is_refused() -> None:
    assert Desk().ask(method="PUT").status == 405


def test_a_full_server_rejects_the_call_before_it_is_answered() -> None:
    desk = Desk(full="200 calls are live")
    answer = desk.ask()
    assert [element.tag for element in ElementTree.fromstring(answer.body).iter()] == ["Response", "Reject"]
    assert desk.gate.refused == {TwilioRefusal.TOO_MANY: 1}


def test_a_form_is_read_as_it_is_signed() -> None:
    body = urlencode([("From", "+49 301"), ("Name", "Jürgen"), ("Empty", "")]).encode()
    assert form_of(body) == (("From", "+49 301"), ("Name", "Jürgen"), ("Empty", ""))
    assert dict(parse_qsl(urlsplit("/x?a=%2B1").query)) == {"a": "+1"}


# --- tokens -----------------------------------------------------------------------------------------------------------


def test_a_token_is_good_once_for_its_call_and_in_time() -> None:
    desk = Desk()
    token, late = desk.gate.issue("CA1"), desk.gate.issue("CA1")
    assert desk.gate.redeem(token, "CA2") is TwilioRefusal.BAD_TOKEN
    assert desk.gate.redeem(token, "CA1") is None
    assert desk.gate.redeem(token, "CA1") is TwilioRefusal.REPLAYED
    desk.now_s += 61
    assert desk.gate.redeem(late, "CA1") is TwilioRefusal.EXPIRED_TOKEN
    assert desk.gate.redeem(token, "CA1") is TwilioRefusal.EXPIRED_TOKEN  # forgotten or not
    assert desk.gate.redeem("", "CA1") is TwilioRefusal.NO_TOKEN
    assert desk.gate.refused.total() == 5


@given(st.text(max_size=90) | st.from_regex(r"[0-9a-f]{1,12}\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}", fullmatch=True))
def test_no_other_token_is_taken(token: str) -> None:
    assert Desk().gate.redeem(token, "CA1") in (TwilioRefusal.BAD_TOKEN, TwilioRefusal.NO_TOKEN)


def test_a_token_of_another_process_with_the_same_secret_is_taken_and_its_time_cannot_be_changed() -> None:
    token = Desk().gate.issue("CA1")
    assert Desk().gate.redeem(token, "CA1") is None
    expires, _, rest = token.partition(".")
    assert Desk().gate.redeem(f"{int(expires, 16) + 9:x}.{rest}", "CA1") is TwilioRefusal.BAD_TOKEN


def test_used_tokens_are_forgotten_when_they_expire_and_bounded_until_then() -> None:
    settings = TwilioSettings(
        public_url="http://localhost:1", account_sid="AC1", auth_token=SECRET, tokens_kept=3, token_lifetime_s=10
    )
    now = [0.0]
    gate = Gate(settings, lambda: now[0])
    assert [gate.redeem(gate.issue("CA1"), "CA1") for _ in range(4)] == [None, None, None, TwilioRefusal.TOO_MANY]
    now[0] = 11
    assert gate.redeem(gate.issue("CA1"), "CA1") is None
    assert len(gate._used) == 1


# --- settings and TwiML -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"public_url": "agent.example.com"},
        {"public_url": "ftp://agent.example.com"},
        {"public_url": "https://agent.example.com/?a=b"},
        {"public_url": "https://user:word@agent.example.com"},
        {"path": "audio"},
        {"path": "/audio?a=b"},
        {"auth_token": ""},
        {"auth_token": f"{SECRET} "},
        {"account_sid": "../x"},
        {"lead_ms": 10},
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))) as caught:
        TwilioSettings(**{"public_url": "https://a.example", "account_sid": "AC1", "auth_token": SECRET, **wrong})  # type: ignore[arg-type]
    assert SECRET not in str(caught.value)


def test_the_secret_is_not_shown() -> None:
    assert SECRET not in repr(SETTINGS)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (DialTarget(address="+49303"), '<Dial timeout="30"><Number>+49303</Number></Dial>'),
        (DialTarget(address="sip:a@b?x=1&y", noun="Sip", caller_id="+49&", ring_s=20),
         '<Dial timeout="20" callerId="+49&amp;"><Sip>sip:a@b?x=1&amp;y</Sip></Dial>'),
    ],
)  # fmt: skip
def test_a_transfer_dials_what_the_configuration_says(target: DialTarget, expected: str) -> None:
    head = '<?xml version="1.0" encoding="UTF-8"?>'
    assert dial(target) == f"{head}<Response>{expected}</Response>"
    assert ElementTree.fromstring(dial(target)).find("./Dial") is not None


@pytest.mark.parametrize("address", ["", "+49 30", "<Say>", "x" * 257])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="address"):
        DialTarget(address=address)

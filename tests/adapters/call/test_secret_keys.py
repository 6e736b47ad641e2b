"""Keys that are secret: what the machine hears of them, and who is given them."""

from __future__ import annotations

import pytest

from adapters.call.mailbox import Mailbox
from adapters.call.secret_keys import MOST, PRESSED, SECRETLY, SecretKeys


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def keys(mailbox: Mailbox) -> SecretKeys:
    return SecretKeys(mailbox)


def pressed(keys: SecretKeys, digits: str) -> None:
    for digit in digits:
        keys.press(digit)


def test_a_key_says_which_it_is_until_it_is_secret_and_again_afterwards(mailbox: Mailbox, keys: SecretKeys) -> None:
    keys.hide()
    pressed(keys, "42#")
    keys.show()
    pressed(keys, "7")
    assert [event.data for event in mailbox.waiting(SECRETLY)] == [{"key": "digit"}, {"key": "digit"}, {"key": "#"}]
    assert [event.data for event in mailbox.waiting(PRESSED)] == [{"digit": "7"}]


def test_what_was_pressed_and_not_looked_at_yet_is_secret_too_and_in_its_place(
    mailbox: Mailbox, keys: SecretKeys
) -> None:
    pressed(keys, "49")
    keys.hide()
    pressed(keys, "2")
    assert len(mailbox.waiting(SECRETLY)) == 3 and not mailbox.waiting(PRESSED)
    assert keys.filled({"secure_digits": None, "argument": "card"}) == {"secure_digits": "492", "argument": "card"}


def test_only_an_effect_that_wants_the_digits_is_given_them_and_only_while_they_are_secret(keys: SecretKeys) -> None:
    keys.hide()
    pressed(keys, "42")
    assert keys.filled({"number": "A7"}) == {"number": "A7"}
    keys.clear()
    pressed(keys, "5")
    assert keys.filled({"secure_digits": None}) == {"secure_digits": "5"}
    keys.show()
    assert keys.filled({"secure_digits": None}) == {"secure_digits": ""}


def test_who_keeps_pressing_is_not_remembered_for_ever(keys: SecretKeys) -> None:
    keys.hide()
    pressed(keys, "1" * (MOST + 10))
    assert keys.filled({"secure_digits": None}) == {"secure_digits": "1" * MOST}

# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Redaction under attack: no value and no text takes long, and nothing personal that a vendor quotes stays."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_mkt.client import personal, redaction, spelling
from airflow_provider_mkt.client.endpoint import Endpoint, Safety
from airflow_provider_mkt.client.errors import failure
from airflow_provider_mkt.client.outcome import Certainty, Outcome
from airflow_provider_mkt.client.redaction import HIDDEN, MAX_NODES, MAX_VALUES, Redactor
from airflow_provider_mkt.client.retry import Next

ALPHABETS = [
    ["\\"],
    ["\\", "\n"],
    ["\\", "n", "u", "0", "5", "c"],
    ["%", "2", "5"],
    ["%25", "25", "%"],
    ["&", "amp;", "#38;", ";"],
    ["+", " ", "%2b"],
    ["a@", "a.", "@", "-"],
    ["eyJ", "-", "."],
    ["0", " ", "(", "/", "+"],
    ["AB12", "A", "3", " "],
    ["\\u005c", "\\", "%5C", "&#92;"],
]
UPSETTING: list[Callable[[str], str]] = [
    lambda text: json.dumps(text)[1:-1],
    lambda text: json.dumps(json.dumps(text))[1:-1],
    lambda text: quote(quote(text, safe=""), safe=""),
    lambda text: "".join(f"&#{ord(each)};" for each in text),
    lambda text: text.replace("\\", "\\\\" * 4),
    str,
]


def steps(do: Callable[[], Any]) -> int:
    """Return how many functions are called, those of the interpreter included, in the course of ``do``."""
    count = 0

    def note(frame: Any, event: str, _: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        do()
    finally:
        sys.setprofile(before)
    return count


@settings(max_examples=150, deadline=None)
@given(
    alphabet=st.sampled_from(ALPHABETS),
    indices=st.lists(st.integers(0, 10), min_size=1, max_size=60),
    upset=st.sampled_from(UPSETTING),
    spoiled=st.sampled_from(["", "x", "\\", "%", "&"]),
)
def test_no_value_takes_long(
    alphabet: list[str], indices: list[int], upset: Callable[[str], str], spoiled: str
) -> None:
    """The vendor quotes what was sent, but for its end. Calls grow with the text; what one call may take is below."""
    value = "".join(alphabet[index % len(alphabet)] for index in indices)
    text = (upset(value)[:-1] + spoiled) * 20
    redactor = Redactor([value]).with_values([value])
    # The first 8,000 are for expressions that are compiled when they are first needed.
    assert steps(lambda: redactor.text(text)) <= 8_000 + 40 * len(text)


EXPRESSIONS = {
    f"{module.__name__.rpartition('.')[2]} {number}": pattern
    for module, patterns in ((personal, personal.PATTERNS), (spelling, spelling.SCHEMES))
    for number, pattern in enumerate(patterns)
}


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_every_expression_has_a_bound(name: str) -> None:
    """A match has a largest length, so that looking for one at each character of a text takes linear time."""
    parse = __import__("re._parser" if sys.version_info >= (3, 11) else "sre_parse", fromlist=["parse"]).parse
    expression: re.Pattern[str] = EXPRESSIONS[name]
    assert parse(expression.pattern, expression.flags).getwidth()[1] <= 20_000


@pytest.mark.parametrize("backslashes", [30, 40, 400])
def test_backslashes_that_the_vendor_quotes(backslashes: int) -> None:
    value = "\\" * backslashes
    shown = Redactor().with_values([value]).text(json.dumps({"message": f"no city {value}!"}))
    assert "\\\\\\" not in shown
    assert shown.endswith('!"}')


@pytest.mark.parametrize("common", ["abcdefghijklmnop", "x" * 16, "%5C%5C" * 3])
def test_many_values_cost_no_more_than_a_few(common: str) -> None:
    """Values that begin alike, and a vendor that quotes their beginning again and again."""
    values = [f"{common}{each:04d}" for each in range(MAX_VALUES)]
    redactor = Redactor(["secret-1234"]).with_values(values)
    for text in (common * 500, " ".join(values)[:8_000]):
        assert steps(lambda: redactor.text(text)) <= 2_000 + 40 * len(text)  # noqa: B023
        assert common not in redactor.text(text)


def test_the_beginning_of_an_escape_is_looked_for_once_in_a_row_of_backslashes() -> None:
    """A token of 8,000 backslashes took ten seconds: at each of them all behind it were looked at."""
    row = "a" + "\\" * 5
    assert spelling.BEGUN.search(row).span() == (1, 6)  # type: ignore[union-attr]
    assert [at for at in range(len(row)) if spelling.BEGUN.match(row + "n", at)] == []
    assert [at for at in range(len(row)) if spelling.BEGUN.match(row, at)] == [1]


def test_values_within_and_across_one_another_are_all_hidden() -> None:
    redactor = Redactor(["ABCDE", "DEFGH"]).with_values(["Bo", "Bo Li", "Elm Street 12, third floor", "Elm Street 14"])
    shown = redactor.text("ABCDEFGH; Bo Li; Elm Street 12, third fl; Elm Street 14!; Elm Street")
    assert shown == f"{HIDDEN}; {HIDDEN}; {HIDDEN}; {HIDDEN}!; Elm Street"


def test_lengths_and_numbers_have_caps() -> None:
    redactor = Redactor()
    assert redactor.with_values(str(number) for number in range(10**7)).text("anything") == HIDDEN
    assert redactor.with_values(f"{number}{'v' * 8_000}" for number in range(1_000)).text("anything") == HIDDEN
    wide = redactor.data([[["x"] * 100] * 100] * 100)
    assert json.dumps(wide).count("x") <= MAX_NODES
    assert redactor.data({"n": 10**4000, "m": 7}) == {"n": "…", "m": 7}
    long = "q" * 20_000
    assert "qqqq" not in redactor.with_values([long]).text(f"{long[:9000]} is too long")
    assert "7 Plan" not in redactor.with_values(["7 Planted Höhenweg, 2nd floor"]).text("'7 Planted Höhenw…' is bad")
    assert MAX_VALUES >= 1_000  # a full batch of the largest kind


@pytest.mark.parametrize(
    "text",
    [
        "jane@localhost",
        "jane@[127.0.0.1]",
        "jane\\u0040example.com",
        "jane&#64;localhost",
        "jane%2540localhost",
        "+41 79 123 45 67",
        "+41791234567",
        "+49 (0)30 901820-15",
        "+1 (555) 123-4567",
        "(555) 123-4567",
        "555-123-4567",
        "079 123 45 67",
        "0041 79 123 45 67",
        "030/901820-15",
        "%2B41%2079%20123%2045%2067",
        "CH93 0076 2011 6238 5295 7",
        "CH9300762011623852957",
        "DE89370400440532013000",
        "de89 3704 0044 0532 0130 00",
        "NO93 8601 1117 947",
        "GB82-WEST-1234-5698-7654-32",
        '"jane doe"@example.com',
        "jane\uff20example.com",
        "\uff10\uff17\uff19\u3000\uff11\uff12\uff13\u3000\uff14\uff15\u3000\uff16\uff17",
        "DE89.3704.0044.0532.0130.00",
        "DE89_3704_0044_0532_0130_00",
        "fr14 2004 1010 0505 0001 3m02 606",
        "mt84malt011000012345mtlcast001s".upper(),
        "+49\u00a030\u00a0901820",
        "030\u202f901820\u201115",
        "555\u2011123\u20114567",
        "DE89\u00a03704\u00a00044\u00a00532\u00a00130\u00a000",
    ],
)
def test_what_is_personal_wherever_it_comes_from(text: str) -> None:
    assert Redactor().text(f"we know of {text}, sorry") == f"we know of {HIDDEN}, sorry"


@pytest.mark.parametrize(
    "text",
    ["phone 41791234567", 'Mobile: "0791234567"', "tel. 41 79 123 45 67", "fax number=5551234567", "SMS 5551234567"],
)
def test_a_number_that_is_called_one_of_a_telephone(text: str) -> None:
    shown = Redactor().text(f"we know of {text}, sorry")
    assert HIDDEN in shown
    assert not any(each.isdigit() for each in shown)


@pytest.mark.parametrize(
    "text",
    [
        "hotel 12345678, telegram 1234567, microphone 1234567, SMS 3 of 10",
        "at 2026-06-08 09:30:00, 2026-06-08T09:30:00+02:00, 08/06/2026 and 08.06.2026",
        "listing_1001 of branch_harbour, plan facebookv2, seq 17 of 1200",
        "550e8400-e29b-41d4-a716-446655440000 and 01234567-89ab-cdef-0123-456789abcdef",
        "req_01HZX3K8, 1765432100000, 1.234.567,50 EUR, -12.5 %, v1.10.3, #7",
        "HTTP 429: 100 requests in 60 s; retry in 0.25 s",
        "Bo's order, and A/B",
    ],
)
def test_what_is_not_personal_stays(text: str) -> None:
    assert Redactor().text(text) == text


@pytest.mark.parametrize(
    "spelled",
    [
        quote,
        lambda text: quote(quote(text)),
        lambda text: quote(text).lower(),
        lambda text: str(text.encode()),
        lambda text: json.dumps(quote(text)),
        ascii,
        lambda text: "".join(f"\\U{ord(each):08x}" for each in text),
    ],
)
@pytest.mark.parametrize(
    "value", ["日本語のひみつのことば", "ключ-от-счёта-№7", "schlüssel-für-ärger-öl", "😀key😀1234", "aé日😀" * 9]
)
def test_scripts_of_the_world_in_every_spelling(value: str, spelled: Callable[[str], str]) -> None:
    """A character takes up to four bytes: no spelling of them is cut in the middle of one."""
    for redactor in (Redactor([value]), Redactor().with_values([value])):
        assert spelled(value)[4:-4] not in redactor.text(f"we know of {spelled(value)}, sorry")
        assert redactor.text(spelled(value)).replace("b'", "").strip("\"'") == HIDDEN


def test_short_names_are_hidden_as_words() -> None:
    redactor = Redactor().with_values(["Bo", "Li ", "7"])
    assert redactor.text("Bo Li, Bologna, flat 7, 17 of 70") == f"{HIDDEN} {HIDDEN}, Bologna, flat {HIDDEN}, 17 of 70"


def test_a_vendor_that_quotes_a_subscriber() -> None:
    call = Endpoint("POST", "/subscribers", Safety.IDEMPOTENT)(
        body={"email": "jane@localhost", "first_name": "Bo", "custom_fields": {"phone": 41791234567}}
    )
    said = {"message": "jane@localhost (Bo, 41791234567) is blocked", "details": ["Bo", {"x": "41791234567"}]}
    error = failure(call, Outcome(Certainty.REFUSED, 422, "answered 422", said), Next.FAIL, "Flodesk", Redactor())
    told = f"{error} {error.details}"
    assert "is blocked" in told
    assert not any(word in told for word in ("jane", "Bo", "4179"))


def test_limits_are_told() -> None:
    """What is shown is a small part of what is looked at, and what is looked at is bounded."""
    assert redaction.SHOWN_CHARACTERS < redaction.LOOKED_AT - redaction.MAX_SECRET

# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What looks secret or personal, wherever it comes from: keys, tokens, addresses, telephone numbers, bank accounts.

Every repetition is bounded and no character can be matched in two ways, so that no text takes long to search.
"""

from __future__ import annotations

import re

LOCAL, LABEL = r"[^\s@<>\"(),:;&?=/]{1,128}", r"[\w-]{1,63}"
BLANK = r" \u00a0\u2007\u2009\u202f"
"""The blanks that stand in numbers, also those at which no line breaks; hyphens likewise."""
HYPHEN = r"\u2010\u2011-"
GAP = f"[{BLANK}._{HYPHEN}]?"
WIDE = {**{0xFF01 + offset: 0x21 + offset for offset in range(94)}, 0x3000: 0x20}
"""The full width forms of East Asian keyboards, and what they are: one character each. To be translated first."""
NAMES = r"api_?key|(?:access|refresh)_?token|client_secret|code|token"

PATTERNS = (
    # A header's credentials.
    re.compile(r"\b(?:Bearer|Basic)\s{1,8}(?P<hide>[A-Za-z0-9+/=_.~-]{6,8192})"),
    # A parameter, or a field of JSON or Python.
    re.compile(
        rf"[?&\s\"'](?:{NAMES})[\"']?\s{{0,8}}[=:]\s{{0,8}}[\"']?(?P<hide>[^&\s\"',}}]{{1,8192}})", re.IGNORECASE
    ),
    # A JSON Web Token.
    re.compile(
        r"(?<![A-Za-z0-9_-])(?P<hide>eyJ[A-Za-z0-9_-]{1,1024}\.[A-Za-z0-9_-]{1,8192}(?:\.[A-Za-z0-9_-]{0,1024})?)"
    ),
    # The vendors' keys.
    re.compile(r"\b(?P<hide>(?:flow_sk_(?:live|test)|fd_[a-z]{1,16}|whsec)_[A-Za-z0-9_-]{1,8192})"),
    # The token in the address of a webhook whose deliveries are not signed.
    re.compile(r"/mkt/webhooks/[^\s/?#]{1,250}/(?P<hide>[^\s/?#\"'<>]{1,1024})"),
    # An e-mail address, also of a host without a dot.
    re.compile(rf"(?P<hide>{LOCAL}@(?:\[[\w.:]{{1,64}}\]|{LABEL}(?:\.{LABEL}){{0,8}}))"),
    # One whose name is in quotes.
    re.compile(rf"(?P<hide>\"[^\"@\r\n]{{1,64}}\"@{LABEL}(?:\.{LABEL}){{0,8}})"),
    # IPv4 and IPv6.
    re.compile(r"(?<![\w.])(?P<hide>\d{1,3}(?:\.\d{1,3}){3})(?!\w)"),
    re.compile(r"(?<![\w:])(?P<hide>(?:[0-9a-f]{1,4}:){1,6}(?::[0-9a-f]{1,4}){1,6})(?![\w:])", re.IGNORECASE),
    re.compile(r"(?<![\w:])(?P<hide>(?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4})(?![\w:])", re.IGNORECASE),
    # A telephone number: international, national with its zero, North American.
    re.compile(rf"(?<![\w+])(?P<hide>\+(?:\(?\d\)?[{BLANK}./{HYPHEN}]{{0,2}}){{6,14}}\d)(?!\d)"),
    re.compile(rf"(?<![\w.:+/-])(?P<hide>\(?0(?:[{BLANK}()./{HYPHEN}]{{0,2}}\d){{8,14}})(?![\w:-])"),
    re.compile(
        rf"(?<![\w.:+/-])(?P<hide>(?:1[{BLANK}.{HYPHEN}])?(?:\(\d{{3}}\)[{BLANK}]?|\d{{3}}[{BLANK}.{HYPHEN}])"
        rf"\d{{3}}[{BLANK}.{HYPHEN}]\d{{4}})(?![\w:-])"
    ),
    # One that is called so.
    re.compile(
        r"(?<![a-z])(?:tele)?(?:phone|fax|tel|mobile|whatsapp|sms)(?:[ _]?(?:number|no))?[\"']?\.?[ :=]{1,3}[\"']?"
        rf"(?P<hide>\d(?:[{BLANK}()./{HYPHEN}]{{0,2}}\d){{6,14}})(?!\d)",
        re.IGNORECASE,
    ),
    # An IBAN, in one piece or in groups of four.
    re.compile(
        rf"(?<![A-Za-z0-9])(?P<hide>[A-Za-z]{{2}}\d{{2}}(?:(?:{GAP}[A-Z0-9]{{4}}){{3,7}}(?:{GAP}[A-Z0-9]{{1,3}})?"
        rf"|(?:{GAP}[A-Z0-9]{{4}}){{2}}{GAP}[A-Z0-9]{{3}}))(?!\w)"
    ),
    re.compile(
        rf"(?<![A-Za-z0-9])(?P<hide>[a-z]{{2}}\d{{2}}{GAP}[a-z0-9]{{4}}"
        rf"(?:{GAP}(?=[a-z]{{0,3}}\d)[a-z0-9]{{4}}){{2,6}}(?:{GAP}\d{{1,3}})?)(?!\w)"
    ),
)
"""Each hides its group ``hide``."""

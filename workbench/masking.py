r"""Secrets in text, and a mask in their place.

What the workbench records, shows, logs or says of a task may hold what the task was given: a password in a URL, a token
on a command line, a key in the text of an exception. Results mask what they hold when they are made, the workbench's
errors their text, and loggers of `get_logger` what they log, all of them by `masked`.

Three kinds of text are secret:

- what stands where secrets stand: ``scheme://user:HERE@host``, ``password=HERE``, ``"token": "HERE"``,
  ``--api-key HERE``, ``Authorization: Bearer HERE``, ``Cookie: HERE``, ``IDENTIFIED BY 'HERE'``;
- what has the shape of a key: a JSON web token, a private key, ``ghp_…``, ``sk-…``, ``AKIA…``;
- the values of environment variables of this process with names such as ``DB_PASSWORD``, and passwords in the URLs of
  others, wherever they stand.

A bare word without such a name, place or shape can't be told from any other.

The process in which a task is diagnosed may have to import this: it needs the standard library alone, and little of it.
"""

from __future__ import annotations

import functools
import os
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    import logging
    from typing import Any

MASK = "***"

#: Ends of names: the value of the first is a secret, that of the second is one where it looks random.
_SURE = (
    r"passw(?:or)?d|passphrase|(?<![a-z])pwd(?!=/)|credentials?|secret(?:[_-]\w{1,20})?|"
    r"(?:api|access|account|private|signing|encryption|master|subscription)[_-]?key"
)
_MAYBE = r"token|(?<![a-z])auth|jwt|session(?:[_-]?(?:id|key))?|signature|cookie|csrf"
_EITHER = rf"{_SURE}|{_MAYBE}"
_NAME = rf"(?P<name>{_SURE}|(?P<maybe>{_MAYBE}))(?:[_-]?(?:hash|digest|value|raw|\d{{1,3}}))?"
_OPTION = rf"--?(?!no-)[\w-]{{0,40}}?(?P<name>{_EITHER}|(?<![a-z])pass)"

#: Up to a quote like the one before it, which is an escaped one in JSON inside JSON.
_QUOTED = r"(?P<q>\\{0,3}[\"'])(?P<secret>(?:(?!(?P=q))(?:\\.|[^\n]))*)"
#: Without quotes: what may be part of a secret ends it only where another pair, or nothing, follows.
_BARE = (
    r"(?![bru]{1,2}[\"'\\])(?P<secret>(?:[^\s\\\"'<>&;,)\]}]|\\(?![\"'nrt])|[\"'](?=\w)|[,)\]}](?![\s\"'&;,)\]}\\]|$)"
    r"|[&;](?!\s{0,3}[\w.+%-]{1,40}(?: [\w.+%-]{1,40})?[=:]|\s|$))+)"
)
#: As a shell takes it: parts of it may be quoted.
_WORD = r"(?P<secret>(?:'[^'\n]*'|\"[^\"\n]*\"|[^\s'\"])+)"
_ITEM = r"(?P<secret>[^\s\"',;\\]+)"
#: Between a header's name and its value, in text as in the reprs of dicts and of lists of pairs.
_HEADER = r"\\?[\"']?\s*[:=,]\s*b?\\?[\"']?"

#: The group ``secret`` of each is masked, but for what is plainly none: see `_hide`, also for ``name`` and ``maybe``.
_RULES = (
    # Keys written out.
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----(?P<secret>(?:(?!-----END)[\s\S])*)",
    # URLs: the password ends at the last @ before the path; where no port follows the colon, it may hold a slash.
    r"://[^\s/?#:@\[\"'<>]{0,200}:(?P<secret>[^\s/?#\"'<>]{0,500}|(?!\d{1,5}[/?#])[^\s\"'<>]{0,500})@",
    r"://(?P<secret>[\w-]{20,200})@",
    r"(?<![\w.:/-])[\w.+-]{0,60}:(?P<secret>[^\s:@/\"',]{1,200})@[\w.-]{1,200}:\d{2,5}\b",
    r"Port could not be cast to integer value as " + _QUOTED,  # urllib quotes a piece of a password with a slash
    r"(?i)[?&](?:sig|sid|hmac|x-(?:amz|goog)-credential|" + _MAYBE + r")=(?P<secret>[^\s&#\"'<>;)\]]+)",
    r"(?i)[?&](?P<maybe>key|code|state)=(?P<secret>[^\s&#\"'<>;)\]]+)",
    # Headers.
    rf"(?i)\bauthorization{_HEADER}(?:Digest|AWS4-HMAC-SHA256)\s+(?P<secret>[^\r\n]+)",
    rf"(?i)\bauthorization{_HEADER}(?:Bearer|Basic|Token|Api-?Key|Key|Negotiate|NTLM)\s+{_ITEM}",
    rf"(?i)\bauthorization{_HEADER}(?P<maybe>){_ITEM}",
    r"(?i)\b(?:Bearer|Basic)\s+(?P<secret>(?=[A-Za-z._~+/-]*\d)[\w.~+/-]{16,}=*)",
    rf"(?i)(?<![a-z])(?:set-)?cookie2?{_HEADER}(?P<secret>[^\s=;,:\"']+=[^\"'\r\n]*)",
    rf"(?i)(?:(?<=\w-)(?P<maybe>key|{_EITHER})|(?<![\w-])api-key)\s*:\s*{_ITEM}",
    # Command lines: as a shell takes them, as lists in Python, and of programs with short options.
    rf"(?i)(?P<q>[\"']){_OPTION}=(?P<secret>(?:(?!(?P=q))[^\n])*\s(?:(?!(?P=q))[^\n])*)",
    rf"(?i)(?P<w>[\"']){_OPTION}(?P=w),\s{{0,3}}(?P<q>[\"'])(?!-)(?P<secret>(?:(?!(?P=q))[^\n])+)",
    rf"(?i)(?<![\w-]){_OPTION}(?:=|\s+(?!(?:to|or|and|is|was|for|in|with|the|option)\b))(?![-\]]){_WORD}",
    rf"\b(?:mysql|mariadb)[\w-]{{0,20}}\b[^\n|;&]{{0,300}}?[\s'\"]-p{_WORD}",
    r"\b(?:sshpass|mongo[a-z]{0,9}|rabbitmqadmin|docker|podman)\b[^\n|;&]{0,300}?\s-p\s*" + _WORD,
    r"\b(?:redis|valkey)-cli\b[^\n|;&]{0,300}?\s-a\s+" + _WORD,
    r"\bldap[a-z]{3,10}\b[^\n|;&]{0,300}?\s-w\s+" + _WORD,
    r"\b(?:curl|https?)\b[^\n|;]{0,300}?\s(?:-[uUa]\s*|--(?:proxy-)?user[ =])['\"]?[^\s:'\"]{1,100}:" + _WORD,
    r"\bpass:(?P<secret>[^\s\"',]+)",  # openssl
    # SQL, and what databases say of a row.
    r"(?i)\b(?:password|identified\s+by(?:\s+password)?)(?:\s+|\s*\(\s*)N?" + _QUOTED,
    rf"(?is)\([^()]{{0,400}}?(?:{_EITHER})[^()]{{0,400}}\)\s*VALUES\s*(?P<secret>\(.*\))",
    r"(?i)\[parameters: (?P<secret>[^\n]*)",
    r"(?i)\bfailing row contains \((?P<secret>[^\n]*)",
    rf"(?i)\bKey \([^()\n]{{0,200}}?(?:{_EITHER})[^()\n]{{0,200}}\)=\((?P<secret>[^\n]{{0,2000}}?)\)(?=\s|$)",
    rf"(?i)\bDuplicate entry (?P<q>[\"'])(?P<secret>[^\n]{{0,1000}}?)(?P=q) for key [\"'][^\n]{{0,99}}?(?:{_EITHER})",
    # Names and their values.
    rf"(?i){_NAME}\\{{0,3}}[\"']?\]?\s{{0,3}}(?::=|=>|=|:)\s{{0,3}}(?:[bru]{{1,2}}(?=[\"'\\]))?{_QUOTED}",
    r"(?i)(?<![a-z])auth\s*=\s*[(\[]\s*(?:\"[^\"\n]*\"|'[^'\n]*')\s*,\s*" + _QUOTED,
    rf"(?i){_NAME}=(?!=){_BARE}",
    rf"(?im)(?P<name>{_SURE})(?P<maybe>)[ \t]{{1,20}}=[ \t]{{1,20}}(?P<secret>[^\s\"'=]+)\s*$",
    rf"(?im)(?P<name>{_SURE})[\"']?:[ \t]{{1,20}}(?P<secret>[^\s\"',;(){{}}\[\]]{{4,}})\s*(?=$|[,;)}}\]])",
    rf"(?im)(?P<maybe>{_MAYBE})[\"']?:[ \t]{{1,20}}(?=\S*\d)(?P<secret>[^\s\"',;(){{}}\[\]]{{4,}})\s*(?=$|[,;)}}\]])",
    rf"(?i)<[\w:.-]{{0,40}}?(?:{_EITHER})>(?P<secret>[^<\n]+)</",
    r"(?i)\blogin\s+\S{1,100}\s+password\s+(?P<secret>\S+)",  # netrc
    # Shapes.
    r"(?P<secret>\beyJ[\w-]{8,}\.eyJ[\w-]{8,}(?:\.[\w-]*)?)",
    r"(?P<secret>\b(?:gh[opusr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|(?:sk|rk|pk)_(?:live|test)_\w{8,}"
    r"|sk-(?=[\w-]{0,200}\d)[\w-]{20,}|(?:AKIA|ASIA)[0-9A-Z]{16}\b|xox[abeprs]-[\w-]{10,}|AIza[\w-]{30,}|hf_[A-Za-z0-9]{20,}"
    r"|npm_[A-Za-z0-9]{30,}|pypi-[\w-]{30,}|SG\.[\w-]{16,}\.[\w-]{16,}|ya29\.[\w-]{20,}|whsec_[\w+/=-]{16,}))",
    r"hooks\.slack\.com/services/(?P<secret>[\w/]+)",
)
#: What one of the rules needs; looked for first, since most texts have none of it.
_HINTS = (
    r"(?i)://|@|pass|pwd|secret|token|key|auth|cookie|credential|session|jwt|csrf|[?&]s|bearer|basic|identified"
    r"|parameters|failing row|port could|[\s'\"]-[auUpw]|eyJ|gh[opusr]_|github_|glpat|k_(?:live|test)|sk-|AKIA|ASIA|xox"
    r"|AIza|hf_|npm_|pypi-|SG\.|ya29|whsec|slack"
)
#: What is no secret wherever it stands: placeholders, words about secrets, small numbers, code.
_PLAIN = r"""(?ix) \** | \.{2,3} | … | \? | %s | %\(\w+\)s | \$\{?[A-Z_][A-Z0-9_]*\}? | \{[\w.!:]*\}? | :\w+ | \$\d
    | \((?:\s*(?:%s|\?|:\w+|%\(\w+\)s|\$\d+)\s*,?)+\) | [)\]},;:\s]+ | \d{1,3}
    | none | null | nil | true | false | undefined | yes | no | on | off | str | bytes | string | secretstr
    | optional | required | missing | invalid | incorrect | wrong | unknown | expired | passwd | password | secret
    | \w+(?:Error|Exception) | AWS4-HMAC-SHA256
    | (?:self|cls|settings|config|os|args|options|request|env)\.[\w.]+(?:[(\[].*)? | [a-z_]+(?:\.[a-z_]+)+
    | [a-z_][\w.]*(?:\([\w., =*]*\)?|\[\w*)"""
#: Names of environment variables whose values are secrets, and those values that ordinary text has as well.
_VARIABLE = rf"(?i)(?:{_SURE}|token|jwt|(?<![a-z])(?:auth|pass))\d{{0,3}}$"
_ORDINARY = frozenset(("changeme", "default", "example", "memcached", "password", "postgres", "rabbitmq", "secret"))
#: A shorter text may be a secret, but it may as well be anything else.
_SHORTEST = 6

#: The values of the environment that may be or hold secrets when they were last looked at, and what finds the secrets.
_environment: tuple[tuple[str, ...], re.Pattern[str] | None] = ((), None)


def masked(text: str) -> str:
    """Return a text with ``***`` in the place of what is likely a secret.

    Examples
    --------
    >>> masked("can't reach redis://:hunter2@127.0.0.1:6379/0")
    "can't reach redis://:***@127.0.0.1:6379/0"
    >>> masked("backup.py --user ann --password hunter2 --max-tokens 300")
    'backup.py --user ann --password *** --max-tokens 300'
    """
    return _masked(text, _secrets_of_environment())


def masked_all(data: Any) -> Any:
    """Return data with all text in it masked: in dicts, their keys too, lists, tuples and dataclasses.

    Examples
    --------
    >>> masked_all({"failure": "bad token=abc123def", "runs": 2, "args": ("--password=hunter2",)})
    {'failure': 'bad token=***', 'runs': 2, 'args': ('--password=***',)}
    """
    from dataclasses import replace

    known = _secrets_of_environment()
    seen: dict[str, str] = {}

    def walk(data: Any) -> Any:
        if isinstance(data, str):
            if data not in seen:  # a thousand stacks share their frames
                seen[data] = _masked(data, known)
            return seen[data]
        if isinstance(data, dict):
            return {walk(key): walk(value) for key, value in data.items()}
        if isinstance(data, list):
            return [walk(item) for item in data]
        if type(data) is tuple:
            return tuple([walk(item) for item in data])
        if not isinstance(data, type) and (names := getattr(data, "__dataclass_fields__", None)):
            held = {name: getattr(data, name) for name in names}
            changed = {name: new for name, old in held.items() if (new := walk(old)) != old}
            return replace(data, **changed) if changed else data
        return data

    return walk(data)


def get_logger(name: str) -> logging.Logger:
    """Return the logger of a module of the workbench; what it logs is masked."""
    import logging

    logger = logging.getLogger(name)
    logger.addFilter(_mask_record)
    return logger


def _mask_record(record: logging.LogRecord) -> bool:
    """Mask what is logged; a record without a secret keeps its arguments."""
    said = record.getMessage()
    if (hidden := masked(said)) != said:
        record.msg, record.args = hidden, ()
    return True


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """Compile when first needed: the import of this module takes no time."""
    return re.compile(pattern)


def _masked(text: str, known: re.Pattern[str] | None) -> str:
    if known is not None:
        text = known.sub(MASK, text)
    if _compiled(_HINTS).search(text):
        for rule in _RULES:
            text = _compiled(rule).sub(_hide, text)
    return text


def _hide(match: re.Match[str]) -> str:
    """Return what a rule found, its secret masked.

    It stays where it is plainly none, or only the ``name`` once more, as in code: ``password=db_password``. After a
    name that is one of ``maybe`` it is a secret only if it looks random.
    """
    found = match.groupdict()
    secret, name = found["secret"], (found.get("name") or "").lower()
    bare = secret.strip("[](){}<>").lower()
    if not secret or _compiled(_PLAIN).fullmatch(secret):
        return match[0]
    if name and (bare == name or bare.endswith((f"_{name}", f".{name}"))):
        return match[0]
    if found.get("maybe") is not None and not _looks_random(secret, quoted=bool(found.get("q"))):
        return match[0]
    start, end = (place - match.start() for place in match.span("secret"))
    return match[0][:start] + MASK + match[0][end:]


def _looks_random(text: str, *, quoted: bool) -> bool:
    if text.isdigit():
        return len(text) >= 8
    return len(text) >= _SHORTEST and (quoted or len(text) >= 12 or any(map(str.isdigit, text)))


def _secrets_of_environment() -> re.Pattern[str] | None:
    """Return what finds the secrets of the environment as it is now."""
    global _environment
    values = tuple(value for name, value in os.environ.items() if "://" in value or _names_a_secret(name))
    if values != _environment[0]:
        found = {form for value in values for secret in _secrets_of(value) for form in _forms(secret)}
        longest_first = sorted(found, key=len, reverse=True)
        _environment = values, re.compile("|".join(map(_whole, longest_first))) if found else None
    return _environment[1]


@functools.cache
def _names_a_secret(variable: str) -> bool:
    return _compiled(_VARIABLE).search(variable) is not None


def _secrets_of(value: str) -> list[str]:
    """Return the secrets in the value of a variable: the password in a URL, or all of it but a file's name."""
    if "://" in value:
        return _compiled(r"://[^\s/?#:@]*:([^\s/?#]+)@").findall(value)
    return [] if value.startswith(("/", "~", ".")) and "/" in value[1:] else value.splitlines()


def _forms(secret: str) -> set[str]:
    """Return the forms in which a secret may stand in a text: as it is, in a repr, in a URL or taken out of one."""
    if len(secret) < _SHORTEST or secret.lower() in _ORDINARY or _compiled(_PLAIN).fullmatch(secret):
        return set()
    raw = os.fsencode(secret)
    decoded = os.fsdecode(re.sub(rb"%([0-9A-Fa-f]{2})", lambda code: bytes.fromhex(code[1].decode()), raw))
    encoded = re.sub(rb"[^\w.~-]", lambda byte: b"%%%02X" % byte[0][0], raw).decode()
    in_form, in_path = encoded.replace("%20", "+"), encoded.replace("%2F", "/")
    return {secret, repr(secret)[1:-1], decoded, encoded, in_form, in_path}


def _whole(secret: str) -> str:
    """Return a pattern that finds a secret, but not inside a longer word."""
    before = r"(?<![A-Za-z0-9])" if secret[0].isalnum() else ""
    after = r"(?![A-Za-z0-9])" if secret[-1].isalnum() else ""
    return before + re.escape(secret) + after

"""Takes secrets out of text before it is logged, journaled or shown: what the environment holds under a telling name, what looks like one.

A text that a failed trial leaves behind may hold anything that its process knew. What is found is replaced by `[redacted]`, the rest stays.
Numbers, names and paths are not touched: a secret of fewer than `SHORTEST` signs would take half of every text with it.
"""

import logging
import os
import re
from collections.abc import Mapping

REDACTED = "[redacted]"
SHORTEST = 6

# Names of environment variables, keys of a mapping, options of a command that hold a secret; `KEY` alone is too common a word.
_TELLING = r"(?:SECRET|TOKEN|PASSW(?:OR)?D|PASSPHRASE|CREDENTIAL|API[_-]?KEY|ACCESS[_-]?KEY|PRIVATE[_-]?KEY|AUTH[_-]?KEY|AUTHORIZATION)"
_NAME = re.compile(rf"{_TELLING}", re.IGNORECASE)
_HARMLESS = re.compile(
    r"(?:_PATH|_FILE|_DIR|_MODE|_TYPE|_EXPIRATION|_NAME)$", re.IGNORECASE
)  # these say where a secret is, or how it is used

_PATTERNS = (
    # scheme://user:password@host, also without a user
    (re.compile(r"(?P<keep>\b[a-z][a-z0-9+.-]*://)[^\s/@\"'<>]+@", re.IGNORECASE), rf"\g<keep>{REDACTED}@"),
    # Signed links: the signature is as good as the key for a while.
    (re.compile(r"(?P<keep>[?&](?:X-Amz-(?:Signature|Credential|Security-Token)|sig|signature|AWSAccessKeyId)=)[^&\s\"']+", re.IGNORECASE),
     rf"\g<keep>{REDACTED}"),
    # Access keys of AWS: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
    (re.compile(r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b"), REDACTED),
    (re.compile(r"\b(?:ghp|gho|ghs|ghu|github_pat|glpat|hf|sk|xox[abprs])[_-][A-Za-z0-9_-]{16,}"), REDACTED),
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"), REDACTED),  # a JSON web token
    (re.compile(r"(?P<keep>\b(?:Bearer|Basic)\s+)[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE), rf"\g<keep>{REDACTED}"),
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL), REDACTED),
)  # fmt: skip

# name = value, name: value, "name": "value", --name value. The name ends with the telling word or a sign: tokenizer, tokens are none.
_ASSIGNED = re.compile(
    rf"(?P<name>--[\w.-]*{_TELLING}(?![a-z])[\w.-]*(?=\s)|\b[\w.-]*{_TELLING}(?![a-z])[\w.-]*(?=[\"']?\s*[=:]))"
    rf"(?P<between>[\"']?\s*[=:]?\s*[\"']?)(?P<value>[^\s\"',;)}}\]]{{{SHORTEST},}})",
    re.IGNORECASE,
)


def redacted(text: str, environment: Mapping[str, str] = os.environ) -> str:
    """Return a text without the secrets in it.

    Args:
        text: Any text.
        environment: Variable -> value; the values of those with a telling name are taken out wherever they stand.
    """
    secrets = {value for name, value in environment.items() if len(value) >= SHORTEST and is_secret(name)}
    for secret in sorted(secrets, key=len, reverse=True):  # one may be part of another
        text = text.replace(secret, REDACTED)
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return _ASSIGNED.sub(_without_value, text)


def is_secret(name: str) -> bool:
    """Return whether a variable or a key of that name holds a secret."""
    return _NAME.search(name) is not None and _HARMLESS.search(name) is None


def redact_logs() -> None:
    """Take secrets out of every log line of this process, tracebacks included, whoever writes it and wherever it goes. Twice is once."""
    make = logging.getLogRecordFactory()
    if getattr(make, "redacts", False):
        return

    def record(*arguments: object, **options: object) -> logging.LogRecord:
        made = make(*arguments, **options)
        message = made.getMessage()
        if (clean := redacted(message)) != message:
            made.msg, made.args = clean, None
        if made.exc_info and made.exc_info[0] is not None:
            made.exc_text = redacted(logging.Formatter().formatException(made.exc_info))
        return made

    record.redacts = True  # type: ignore[attr-defined]  # a mark of our own on a function
    logging.setLogRecordFactory(record)


def _without_value(found: re.Match[str]) -> str:
    keep = found["value"].isdecimal() or found["value"].startswith(REDACTED[:SHORTEST]) or not is_secret(found["name"])
    return found[0] if keep else f"{found['name']}{found['between']}{REDACTED}"

"""Secrets stay out of what is logged, journaled and shown; the rest of a text stays in it."""

import subprocess
import sys
from pathlib import Path

import pytest

from results.redact import REDACTED, is_secret, redacted

KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("postgres://bob:hunter2@db/x", "hunter2"),
        ("https://ghp_token@host/x.git cannot be reached", "ghp_token"),
        ("key AKIAIOSFODNN7EXAMPLE is not known", "AKIAIOSFODNN7EXAMPLE"),
        (f"aws_secret_access_key = {KEY}", KEY),
        (f'{{"AWS_SECRET_ACCESS_KEY": "{KEY}", "lr": 0.1}}', KEY),
        ("{'password': 'correcthorse', 'lr': 0.1}", "correcthorse"),
        ("run --api-key abcdef-123 --seed 3", "abcdef-123"),
        ("Authorization: Bearer abcdefghijk12345", "abcdefghijk12345"),
        ("https://b.s3/k?X-Amz-Signature=0a1b2c&x=1", "0a1b2c"),
        ("eyJhbGciOiJIUzI1.eyJzdWIiOiIxMjM0.SflKxwRJSMeKKF2QT4", "SflKxwRJSMeKKF2QT4"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----", "MIIEow"),
        ("login with hf_abcdefghijklmnopqrstuv failed", "hf_abcdefghijklmnopqrstuv"),
    ],
)
def test_what_looks_like_a_secret_is_taken_out(text: str, secret: str) -> None:
    clean = redacted(text, {})
    assert secret not in clean
    assert REDACTED in clean
    assert redacted(clean, {}) == clean


@pytest.mark.parametrize(
    "text",
    [
        "val_accuracy=0.512 at epoch 12, lr: 1e-3",
        "the token 3 is out of vocabulary, tokens: 12345678",
        "KeyError: 'token_type_ids-1'",
        "token_embedding.weight torch.Size([100, 32])",
        "/shared/runs/digits/trials/t00007/checkpoints/000009.2",
        "RAY_AUTH_TOKEN_PATH=/home/ada/.config/shortlist/ray_token",
        "http://127.0.0.1:8265/api and s3://bucket/prefix@2",
        "max_token=1000000",
        "sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redacted(text, {}) == text


def test_values_of_telling_variables_are_taken_out_wherever_they_stand() -> None:
    environment = {
        "MY_TOKEN": "open-sesame",
        "DB_PASSWORD": "open-sesame-2",
        "HOME": "/home/ada",
        "SHORT_SECRET": "1",
        "TOKEN_PATH": "/a/b/c",
    }
    assert redacted("xopen-sesame-2y open-sesame /home/ada 1 /a/b/c", environment) == f"x{REDACTED}y {REDACTED} /home/ada 1 /a/b/c"
    assert is_secret("WANDB_API_KEY")
    assert not is_secret("RAY_AUTH_MODE")


def test_log_lines_and_tracebacks_are_clean_whoever_writes_them() -> None:
    program = (
        "import logging\nfrom results.redact import redact_logs\nredact_logs()\n"
        "log = logging.getLogger('anybody')\nlog.warning('sent %s', 'open-sesame')\n"
        "try:\n    raise ValueError('open-sesame again')\nexcept ValueError:\n    log.exception('failed')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=Path(__file__).parents[1], capture_output=True, text=True, env={"MY_TOKEN": "open-sesame"}
    )
    assert done.returncode == 0, done.stderr
    assert "open-sesame" not in done.stderr
    assert f"sent {REDACTED}" in done.stderr
    assert f"ValueError: {REDACTED} again" in done.stderr

"""How the tests of a program look at a call that it must refuse."""

from collections.abc import Callable, Sequence

import pytest


def assert_refused(
    main: Callable[[Sequence[str]], int], arguments: Sequence[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Call a program's main; it must end with 2, as argparse or by itself, and say why."""
    try:
        code: object = main(arguments)
    except SystemExit as ended:
        code = ended.code
    assert code == 2
    assert message in capsys.readouterr().err

"""Runs the program `plait` in this process."""

import sys

import pytest

from plait.cli.main import main


@pytest.fixture
def run(monkeypatch, capsys):
    """Run `plait` with arguments: exit status, stdout, stderr."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["plait", *map(str, arguments)])
        try:
            main()
        except SystemExit as leaving:
            code = leaving.code
        else:
            code = 0
        out, err = capsys.readouterr()
        return code or 0, out, err

    return run

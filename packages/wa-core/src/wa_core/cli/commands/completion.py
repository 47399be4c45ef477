"""`wa completion SHELL`: what a shell has to run so that it completes the words of `wa`."""

from __future__ import annotations

import argparse

from wa_core.cli.blocks import Line
from wa_core.cli.command import add_common
from wa_core.cli.exits import DONE
from wa_core.cli.screen import Screen

_WHERE = """\
where to put it
  bash  wa completion bash > ~/.local/share/bash-completion/completions/wa
  zsh   wa completion zsh > ~/.zfunc/_wa     (with ~/.zfunc in fpath, before compinit)
  fish  wa completion fish > ~/.config/fish/completions/wa.fish"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Say what can be asked for."""
    parser.description = "Print the lines that make a shell complete the words of `wa`."
    parser.epilog = _WHERE
    parser.add_argument("shell", choices=["bash", "zsh", "fish"])
    add_common(parser)


async def run(options: argparse.Namespace, screen: Screen) -> int:
    """Print what the shell has to run."""
    from argcomplete.shell_integration import shellcode

    code = shellcode(["wa"], shell=options.shell)
    screen.show({"shell": options.shell, "code": code}, [Line(code.rstrip("\n"))])
    return DONE

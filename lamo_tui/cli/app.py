"""The `lamo` command: turns errors into one sentence and an exit code."""

from __future__ import annotations

import io
import os
import sys
from typing import Annotated, Any

import typer

from lamo_core import __version__
from lamo_core.errors import LamoError, MissingError, StorageError, UsageError
from lamo_core.out_of_memory import ANYTHING, advised
from lamo_core.untrusted.plain_text import is_utf8, plain_text, shown
from lamo_tui.cli.commands import Commands
from lamo_tui.terminal.ascii_fallback import ERRORS

INTERRUPTED = 130
_NAMING = ("LAMO_", "XDG_", "HF_", "HOME", "TMPDIR")
"""How the variables begin that name files and folders."""
EXIT_CODES = """\
Exit codes: 0 done · 1 the run failed · 2 wrong argument or setting · 3 data or model missing · 4 device missing or out
of memory · 5 checkpoint unusable · 6 data damaged · 7 could not write · 8 the environment failed · 75 stopped,
checkpoint saved, resumable · 130 interrupted
"""

app = typer.Typer(
    name="lamo",
    cls=Commands,
    help="Few-shot offline reinforcement learning with pre-trained language models, in the terminal.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"lamo {__version__}")
        raise typer.Exit()


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line; every error that a user can cause ends in one sentence and its exit code."""
    # PyTorch's threads spin while they wait for each other, unless told before it is imported; on a machine that
    # is also busy with something else that makes small products ten times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a character that the locale does not have is no reason to fail
            stream.reconfigure(errors=ERRORS)
    try:
        try:
            _check_names()
            with advised("this machine", ANYTHING):
                code = run()
        finally:
            if sys.stdout is not None:  # what cannot be written is to be found now, not at exit
                sys.stdout.flush()
        sys.exit(code)
    except LamoError as error:
        print(f"lamo: {plain_text(str(error))}", file=sys.stderr)
        sys.exit(error.exit_code)
    except UnicodeError as error:  # a name in a folder, say; what is typed was checked
        print(f"lamo: a name or a text is no UTF-8 ({plain_text(str(error))[:200]}); rename it", file=sys.stderr)
        sys.exit(UsageError.exit_code)
    except (BrokenPipeError, SystemExit) as end:
        # Click makes a 1 of it, which would mean that a run failed
        if isinstance(end, SystemExit) and not isinstance(end.__context__, BrokenPipeError):
            raise
        _drop_output()  # its reader went away, as `head` does
        sys.exit(0)
    except OSError as error:
        _drop_output()
        place = "the output" if error.filename is None else error.filename
        reason = error.strerror or type(error).__name__
        text = f"could not use {place}: {reason}; free space, or choose another place"
        print(f"lamo: {plain_text(text)}", file=sys.stderr)
        sys.exit(StorageError.exit_code)


def _check_names() -> None:
    """Raise `UsageError` where a name that everything else rests on is no UTF-8, before anything is made."""
    try:
        places = {"the working folder": os.getcwd()}
    except OSError:  # it was deleted, which whoever needs it says
        places = {}
    places |= {f"argument {number}": word for number, word in enumerate(sys.argv[1:], 1)}
    places |= {f"{name} in the environment": os.environ[name] for name in os.environ if name.startswith(_NAMING)}
    for what, name in places.items():
        if not is_utf8(name):
            raise UsageError(f"{what}, {shown(name)}, is no UTF-8, which lamo needs of names; rename it")


def run(words: list[str] | None = None) -> int:
    """Run one command and return its exit code; words that no command understands are a `UsageError`."""
    try:
        # Typer would print usage, a hint and the error in a form of its own, and end an interrupted command silently
        code = app(words, prog_name="lamo", standalone_mode=False)
    except KeyboardInterrupt:
        code = INTERRUPTED
    except ImportError as error:
        if (error.name or "").startswith(("lamo_core", "lamo_tui")):  # no installation's fault
            raise
        raise MissingError(
            f"a library does not load ({error}); `lamo doctor` says which; install lamo-rl again in a new environment"
        ) from error
    except Exception as error:  # by name, as typer brings a click of its own or takes the installed one
        if type(error).__name__ == "Abort":
            print("lamo: nothing was done: the question was not answered with yes", file=sys.stderr)
            return INTERRUPTED
        if type(error).__name__ == "NoArgsIsHelpError":  # its message is the whole help
            print(error, file=sys.stderr)
            return UsageError.exit_code
        if not hasattr(error, "format_message"):
            raise
        raise UsageError(_sentence(error)) from error
    if code == INTERRUPTED:
        print("lamo: interrupted", file=sys.stderr)
    return code if isinstance(code, int) else 0


def _sentence(error: Any) -> str:
    """Return what was typed wrong, and the help that says more."""
    text: str = error.format_message().partition(", unable to parse")[0].rstrip(".")
    for old, new in ((": Value error, ", ": "), (": Input should be ", ": it must be "), (". Did you", "; did you")):
        text = text.replace(old, new)
    text, context = text[:1].lower() + text[1:], getattr(error, "ctx", None)
    if context is None or text.endswith("?"):
        return text
    if "extra argument" in text and any("--preset" in option.opts for option in context.command.params):
        text += ", a preset is named with --preset NAME"
    return f"{text}; see: {context.command_path} --help"


def _open_closed_streams() -> None:
    """Put nothing in the place of what the caller has closed, lest the next file that is opened takes its number."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)
    sys.stdin, sys.stdout, sys.stderr = (
        stream or open(place, mode)  # noqa: SIM115 (they stay open to the end)
        for stream, place, mode in ((sys.stdin, 0, "r"), (sys.stdout, 1, "w"), (sys.stderr, 2, "w"))
    )


def _drop_output() -> None:
    """Let go of what stands in the buffer, so that nothing complains about it at exit."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()

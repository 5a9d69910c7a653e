"""What a command line does, in a word or a few, for the name of its cue."""

from __future__ import annotations

import re

_WORDS = re.compile(r"""&&|\|\||[;|&()<>\n]|(?:\\.|"[^"]*"|'[^']*'|[^\s;|&()<>"'])+|["']""")
_BETWEEN = frozenset("&& || ; | & ( ) { } ! if then else while do".split()) | {"\n"}
# The work comes in a later command, or in later words.
_BEFORE = frozenset("cd pushd test [ [[ . source export umask ulimit set sleep true mkdir".split())
_AROUND = frozenset(
    "env flock nice ionice timeout sudo su doas runuser nohup setsid stdbuf exec command time "
    "chronic cronic systemd-cat run-one run-parts xargs".split()
)
_RUNS_FILES = re.compile(r"\w*sh|python[\d.]*|perl|ruby|node|php[\d.]*|Rscript|java")
_NO_PROGRAM = re.compile(r"-.*|[\d.]+[smhd]?|[A-Za-z_]\w*=.*")
_WITH_VALUE = frozenset({"-u", "-g", "-t", "-s"})
_OF_TOOLS = re.compile(r"(?:Ansible|Puppet Name|Chef Name):")
_MOST_LETTERS = 40


def program_of(shell: str) -> str:
    """Return the program or script that does the work of a command line for `sh`."""
    around, prepares, value_follows = "", False, False
    for raw in map(str, _WORDS.findall(shell)):
        word = raw.strip("\"'")
        program = word.rpartition("/")[2]
        if raw in _BETWEEN:
            around, prepares, value_follows = "", False, False
        elif prepares or program in _BEFORE:
            prepares = True
        elif _NO_PROGRAM.fullmatch(word):
            value_follows = value_follows or word in _WITH_VALUE
        elif value_follows:
            value_follows = False
        elif program in _AROUND or _RUNS_FILES.fullmatch(program):
            around, value_follows = program, program == "flock"
        elif around and " " in word:
            # The script of `sh -c`; one in another language says nothing.
            is_shell = around in _AROUND or around.endswith("sh")
            return program_of(word) if is_shell else around
        else:
            return word
    return around or (shell.split() or [""])[0]


def name_from_comment(line: str) -> str:
    """Return the first words of a comment as a name, `` where it names columns or old lines."""
    text = _OF_TOOLS.sub("", line.strip("#-=~! \t"))
    words = re.findall(r"[^\W_]+", text.lower())
    is_old = re.match(r"[\d*][\d/,-]*\s|@\w|\w+\s*=", text) or {"dom", "dow"} & set(words)
    name = ""
    for word in () if is_old else words:
        if len(name) + len(word) >= _MOST_LETTERS:
            break
        name = f"{name}-{word}" if name else word
    return name

#!/bin/sh
# Runs the example offline, in a throw-away directory and a throw-away state directory.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
cp "$here/cue.yaml" "$here/lint.sh" "$work/"
cd "$work"
export CUECTL_HOME="$work/.cue"
mkdir -p src/vendor
echo 'print("old")' > src/old.py

export CUECTL_NOW=2026-11-21T09:00:00Z
cuectl apply cue.yaml
cuectl run-due

echo 'print("new")' > src/new.py
echo '# TODO: all of it' > src/later.py
echo '# TODO' > src/vendor/theirs.py
# They were saved a while ago: a file that is still being written is waited for.
touch -d '1 minute ago' src/new.py src/later.py src/vendor/theirs.py 2>/dev/null ||
  touch -t 202001010000 src/new.py src/later.py src/vendor/theirs.py

export CUECTL_NOW=2026-11-21T09:01:00Z
cuectl run-due
cuectl executions list
cuectl events list

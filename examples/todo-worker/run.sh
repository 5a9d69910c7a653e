#!/bin/sh
# Runs the example offline, in a throw-away directory and a throw-away state directory.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
cp "$here/cue.yaml" "$here/work.sh" "$work/"
cd "$work"
export CUECTL_HOME="$work/.cue"
mkdir notes
printf '# Today\n\n- [x] get up\n' > notes/today.md

export CUECTL_NOW=2026-11-21T09:00:00Z
cuectl apply cue.yaml
cuectl run-due

printf '%s\n' '- [ ] water the plants' '- [ ] write the report' >> notes/today.md
for minute in 1 2 3 4; do
  export CUECTL_NOW="2026-11-21T09:0$minute:00Z"
  cuectl run-due
done
cat notes/today.md
cuectl executions list

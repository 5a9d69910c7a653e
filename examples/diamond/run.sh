#!/bin/sh
# Runs the example offline, in a throw-away directory and a throw-away state directory.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
cp "$here/cue.yaml" "$here/agent.sh" "$work/"
cd "$work"
export CUECTL_HOME="$work/.cue"

export CUECTL_NOW=2026-11-21T09:00:00Z
cuectl apply cue.yaml
cuectl trigger plan
cuectl run-due
root=$(cuectl --plain executions list --cue plan | awk 'NR > 1 { print $1 }')
cuectl chain show "$root"
cuectl executions output "$(cuectl --plain executions list --cue report | awk 'NR > 1 { print $1 }')"

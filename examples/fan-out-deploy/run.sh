#!/bin/sh
# Takes the definitions over in a throw-away state directory, tags a release twice, and shows what
# the agents have made of it. The second time one of them fails, which keeps no other from its work.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
export CUECTL_HOME="$work/cue"
export REPORT="$work/report.txt"

step() { printf '\n$ cuectl %s\n' "$*"; cuectl "$@"; }

step apply "$here/cue.yaml"
step agents test staging --prompt "Are you there?"

step emit release.tagged --payload '{"version": "1.4.0"}'
step run-due
step executions list
printf '\n# What was written down:\n'
cat "$REPORT"

export PROBLEM=production
step emit release.tagged --payload '{"version": "1.4.1"}'
step run-due
step executions list --status failed
step queue list

#!/bin/sh
# Runs the example offline, in a throw-away directory and a throw-away state directory.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
cp "$here/cue.yaml" "$here/collect.sh" "$here/digest.sh" "$work/"
cd "$work"
export CUECTL_HOME="$work/.cue"

# A Sunday evening; then Monday night, minute by minute where something happens.
export CUECTL_NOW=2026-11-22T20:00:00Z
cuectl apply cue.yaml
cuectl run-due
for now in 2026-11-23T02:00:00Z 2026-11-23T02:30:00Z 2026-11-23T03:01:00Z; do
  export CUECTL_NOW="$now"
  cuectl run-due
done
cuectl executions list

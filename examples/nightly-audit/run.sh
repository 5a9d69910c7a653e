#!/bin/sh
# A story in one time zone: an audit each night, with evidence, a check the day after, and a
# handler that forgets its evidence and is caught. It runs in a throw-away state directory,
# on a clock of its own, over a copy of this project's sources.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM

export CUECTL_HOME="$work/cue"
export AUDIT_TREE="$work/tree" AUDIT_TRACKER="$work/tracker.json"
export PYTHONDONTWRITEBYTECODE=1 TZ=America/New_York
mkdir "$AUDIT_TREE"
cp -R "$here/../../cuectl/." "$AUDIT_TREE/"

bold= plain=
if [ -t 1 ] && [ "${TERM:-dumb}" != dumb ] && [ -z "${NO_COLOR:-}" ]; then
  bold=$(printf '\033[1m') plain=$(printf '\033[0m')
fi
say() { printf '\n%s$ %s%s\n' "$bold" "$*" "$plain"; }
step() { say "cuectl $*"; cuectl "$@"; }

export CUECTL_NOW=2026-11-20T12:00:00-05:00
step apply "$here/cueapi-worker.yaml"
say "cuectl create --name nightly-audit --cron '0 2 * * *' ..."
cuectl create \
  --name "nightly-audit" \
  --cron "0 2 * * *" \
  --timezone "America/New_York" \
  --transport worker \
  --verification-mode require_external_id \
  --payload '{"task": "audit"}'
say "cuectl create --name forgetful-audit --cron '5 2 * * *' ..."
cuectl create \
  --name "forgetful-audit" \
  --cron "5 2 * * *" \
  --timezone "America/New_York" \
  --transport worker \
  --verification-mode require_external_id \
  --payload '{"task": "forgetful-audit"}'

printf '\n# 02:06 in the night: cron calls run-due\n'
export CUECTL_NOW=2026-11-21T02:06:00-05:00
step run-due

printf '\n# the day after: the first finding is fixed; 02:10 in the next night\n'
first=$(sed -n 's/^   "path": "\(.*\)",$/\1/p' "$AUDIT_TRACKER" | head -n 1)
: > "$AUDIT_TREE/$first"
export CUECTL_NOW=2026-11-22T02:10:00-05:00
step run-due

root=$(cuectl --plain executions list --cue nightly-audit | awk 'NR > 1 { id = $1 } END { print id }')
export CUECTL_NOW=2026-11-22T02:20:00-05:00
step list
step chain show "$root"
step alerts list
step log -n 40
step fsck

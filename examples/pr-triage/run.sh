#!/bin/sh
# Runs the example offline, in a throw-away directory and a throw-away state directory.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
mkdir "$work/bin"
cp "$here/cue.yaml" "$here/triage.sh" "$work/"
cp "$here/gh" "$work/bin/gh"
chmod +x "$work/bin/gh"
cd "$work"
export CUECTL_HOME="$work/.cue" GH_FAKE="$work" PATH="$work/bin:$PATH"

pull() {
  printf '{"number": %s, "title": "%s", "isDraft": %s, "updatedAt": "%s", "body": "%s",' "$1" "$2" "$3" "$4" "$5"
  printf ' "author": {"login": "ann"}, "labels": [], "state": "OPEN", "createdAt": "2026-11-20T10:00:00Z",'
  printf ' "headRefName": "topic", "baseRefName": "main", "url": "https://github.com/acme/shop/pull/%s"}' "$1"
}

echo "[$(pull 1 'Old news' false 2026-11-20T10:00:00Z '')]" > pulls.json
echo '[]' > issues.json
export CUECTL_NOW=2026-11-21T09:00:00Z
cuectl apply cue.yaml
cuectl run-due

first=$(pull 2 'Fix the crash at start' false 2026-11-21T09:01:00Z 'It crashed.')
draft=$(pull 3 'Half an idea' true 2026-11-21T09:02:00Z '')
echo "[$draft, $first]" > pulls.json
echo '[{"number": 7, "title": "Wrong total", "labels": [{"name": "bug"}], "assignees": [{"login": "bob"}],
  "url": "https://github.com/acme/shop/issues/7", "updatedAt": "2026-11-21T09:03:00Z", "state": "OPEN"}]' > issues.json
export CUECTL_NOW=2026-11-21T09:05:00Z
cuectl run-due

ready=$(pull 3 'A whole idea' false 2026-11-21T09:08:00Z '')
echo "[$ready, $first]" > pulls.json
export CUECTL_NOW=2026-11-21T09:10:00Z
cuectl run-due
cuectl executions list

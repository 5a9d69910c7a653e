#!/bin/sh
# Stands in for an agent that does the first open task of a file and ticks it.
IFS= read -r file
task=$(sed -n 's/^[[:blank:]]*[-*+] \[ \] //p' "$file" | head -n 1)
awk '!done && /^[[:blank:]]*[-*+] \[ \] / { sub(/\[ \]/, "[x]"); done = 1 } { print }' "$file" > "$file.new"
mv "$file.new" "$file"
echo "done: $task"

# The day after: somebody has mended the first finding.
set -e
sed -i.bak 1d issues && rm -f issues.bak
echo "1 of 2 issues addressed"
cuectl report --success --external-id audit-42-check --summary '1 of 2 issues addressed'

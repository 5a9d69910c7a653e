# An audit that files what it finds, has it checked the day after, and shows for it.
set -e
printf '%s\n' 'issue 1: parser.py: parse_all is too long' 'issue 2: no test for export.py' > issues
echo "2 findings"
cuectl chain --name "check-of-${CUE_SCHEDULED_FOR%T*}" --in 24h \
    --payload '{"task": "check-followup", "issues": 2}'
cuectl report --success --external-id audit-42 --artifact issues --summary 'filed 2 issues'

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cuectl.cues.rules.job_name import name_from_comment, program_of


@pytest.mark.parametrize(
    ("shell", "program"),
    [
        ("/usr/local/bin/backup --all > /tmp/log 2>&1", "/usr/local/bin/backup"),
        ("cd /srv && make", "make"),
        ("cd /srv; ./a | gzip", "./a"),
        ("flock -n /tmp/lock /opt/sync.sh", "/opt/sync.sh"),
        ("flock -w 10 /tmp/lock -c 'cd /x && ./sync'", "./sync"),
        ("sudo -u www-data /usr/bin/php /var/www/cron.php", "/var/www/cron.php"),
        ("nice -n 10 ionice -c 3 rsync -a a b", "rsync"),
        ("timeout -k 5s 10m python3 -m pkg.mod", "pkg.mod"),
        ("timeout -s KILL 10m ./x", "./x"),
        ("env A=b C=d ./x", "./x"),
        ("A=b ./x", "./x"),
        ('bash -lc "cd /srv; python3 manage.py clear"', "manage.py"),
        ("python3 -c 'import x; print(1)'", "python3"),
        ("[ -x /bin/a ] && /bin/a -q", "/bin/a"),
        ("test -x /a || { cd / && run-parts --report /etc/cron.daily; }", "/etc/cron.daily"),
        ("if [ -f /x ]; then /bin/y; fi", "/bin/y"),
        (". /etc/profile && exec ./x", "./x"),
        ("sleep 30; ./x", "./x"),
        ("'/opt/my dir/x' a", "/opt/my dir/x"),
        ("cd /srv", "cd"),
        ("sh", "sh"),
        ("", ""),
    ],
)
def test_the_program_is_what_does_the_work(shell: str, program: str) -> None:
    assert program_of(shell) == program


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("# Nightly backup", "nightly-backup"),
        ("#--- Clear /tmp (old files) ---", "clear-tmp-old-files"),
        ("#*** Rotate keys ***", "rotate-keys"),
        ("# 2nd copy", "2nd-copy"),
        ("#Ansible: Rotate keys", "rotate-keys"),
        ("# Puppet Name: rotate_keys", "rotate-keys"),
        ("# Sauvegarde journalière", "sauvegarde-journalière"),
        ("# " + "word " * 20, "word-word-word-word-word-word-word-word"),
        ("# " + "x" * 50, ""),
        ("# m h  dom mon dow   command", ""),
        ("# 0 3 * * * /bin/old", ""),
        ("#*/5 * * * * /bin/old", ""),
        ("# @daily /bin/old", ""),
        ("#MAILTO=ana", ""),
        ("# ------", ""),
        ("", ""),
    ],
)
def test_a_comment_gives_its_first_words(line: str, name: str) -> None:
    assert name_from_comment(line) == name


@given(text=st.text(max_size=80))
def test_any_text_has_a_program_and_a_name(text: str) -> None:
    assert isinstance(program_of(text), str)
    assert len(name_from_comment(text)) <= 40

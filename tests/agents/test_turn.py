from __future__ import annotations

import pytest

from cuectl.agents.rules import Answer, JudgedTurn, judge_turn


@pytest.mark.parametrize(
    ("answer", "code", "empty_is_error", "judged"),
    [
        (Answer(text="ok"), 0, True, JudgedTurn(exit_code=0)),
        (Answer(text="ok"), 1, True, JudgedTurn(exit_code=1)),
        (Answer(text="ok", complete=True), 1, True, JudgedTurn(exit_code=0)),
        (Answer(error="no"), 0, True, JudgedTurn(exit_code=0, error="no")),
        (Answer(error="no", complete=True), 1, True, JudgedTurn(exit_code=1, error="no")),
        (Answer(text=" \n"), 0, True, JudgedTurn(exit_code=0, error="the answer is empty")),
        (Answer(), 0, False, JudgedTurn(exit_code=0)),
        (
            Answer(denied=("Bash",)),
            0,
            True,
            JudgedTurn(exit_code=0, error="the answer is empty; it was denied: Bash"),
        ),
    ],
)
def test_a_turn_is_judged_by_its_format_before_its_exit_status(
    answer: Answer, code: int, empty_is_error: bool, judged: JudgedTurn
) -> None:
    assert judge_turn(answer, code, empty_is_error=empty_is_error) == judged

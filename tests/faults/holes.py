"""The holes that the store protocol closes, each with what keeps it closed.

`A1` and so on are the numbers that comments in the program refer to. An entry that begins with
`says:` is a sentence of cuectl-state(7), for what no test can try here; all others are tests.
`test_holes.py` looks that each of them is there.
"""

from __future__ import annotations

CRASHES = "faults/test_sweep_crashes.py::"
ERRORS = "faults/test_sweep_errors.py::"
POWER = "faults/test_sweep_power.py::"
KILLED = "passes/test_passes_that_are_killed.py::"
HOMES = "store/test_unusual_homes.py::"
CLOCKS = "passes/test_clocks.py::"
IDLE = "passes/test_idle_passes.py::"
LIMITS = "passes/test_limits_and_trees.py::"
CHECKPOINT = "store/test_checkpoint.py::"
STORE = "store/test_store.py::"
JOURNAL = "store/test_journal.py::"
RECOVER = "passes/test_recover.py::"
EXECUTOR = "executions/test_local_executor.py::"
RETENTION = "store/test_retention.py::"

HOLES: dict[str, tuple[str, ...]] = {
    # Loses work, runs it twice, or stops in silence.
    "A1": (
        KILLED + "test_a_pass_that_lives_keeps_what_it_has_claimed",
        RECOVER + "test_what_a_living_pass_holds_is_not_ours",
    ),
    "A2": (
        "store/test_tail.py::test_a_group_whose_beginning_is_lost_is_torn",
        STORE + "test_every_torn_length_of_the_last_group_is_as_if_it_had_not_been",
        POWER + "test_a_pass_without_power_loses_nothing",
    ),
    "A3": (
        STORE + "test_readers_sync_what_they_answer_from",
        POWER + "test_a_killed_command_that_is_given_again",
    ),
    "A4": (
        CLOCKS + "test_a_pass_in_2030_does_not_stop_the_store",
        IDLE + "test_next_is_at_most_an_hour_ahead",
    ),
    "A5": (
        JOURNAL + "test_rotation_goes_on_in_a_segment_that_is_named_by_its_first_line",
        JOURNAL + "test_rotation_changes_the_size_of_the_old_segment",
        JOURNAL + "test_a_rotation_that_was_killed_in_between_is_finished",
    ),
    "A6": (
        IDLE + "test_what_ends_the_idle_path",
        IDLE + "test_next_is_not_written_for_definitions_that_are_too_young",
    ),
    "A7": (
        STORE + "test_a_place_of_another_boot_is_not_trusted",
        STORE + "test_a_boot_that_cannot_be_told_is_never_trusted",
        STORE + "test_a_journal_that_lacks_what_was_applied_is_an_error",
        HOMES + "test_a_journal_that_went_back_is_noticed",
    ),
    "A8": (
        CHECKPOINT + "test_a_failed_sync_takes_applied_away_and_leaves_the_old_checkpoint",
        "store/test_views.py::test_written_anew_is_written_to_another_file",
        "says: After a failed checkpoint `applied` is removed",
    ),
    "A9": (
        "passes/test_many_at_once.py::test_five_passes_at_once",
        "passes/test_many_at_once.py::test_twenty_passes_and_twenty_creators_and_two_kills",
    ),
    "A10": ("store/test_source_memory.py::test_one_at_a_time_polls_a_source",),
    "A11": (
        "store/test_payload_files.py::test_it_is_durable_before_anybody_names_it",
        POWER + "test_a_command_without_power_is_done_or_not",
    ),
    # Wrong or noisy, or a pass that cannot go on.
    "A12": (
        KILLED + "test_who_gives_up_the_lease_is_still_seen",
        KILLED + "test_a_daemon_that_has_closed_everything_is_still_seen",
        RECOVER + "test_an_end_that_was_seen_counts_though_a_child_lives",
    ),
    "A13": (
        "faults/test_holes.py::test_nothing_is_ever_unlocked",
        "store/test_lock.py::test_asking_does_not_disturb",
        "says: The lock on the output file is only ever let go by closing",
    ),
    "A14": (
        KILLED + "test_what_was_claimed_and_not_started_runs_at_once",
        RECOVER + "test_what_was_about_to_start_is_lost",
        RECOVER + "test_pass_files_that_are_named_stay",
    ),
    "A15": (EXECUTOR + "test_an_output_that_a_killed_pass_has_made_is_used",),
    "A16": (
        LIMITS + "test_a_process_that_outlives_its_run_can_still_write",
        "says: They are never renamed",
    ),
    "A17": ("passes/test_what_a_run_writes.py::test_a_run_does_not_write_the_definition",),
    "A18": (
        "store/test_views.py::test_one_path_that_fails_does_not_keep_the_others",
        STORE + "test_what_stays_behind_is_written_by_whoever_can",
        STORE + "test_what_is_durable_is_no_error_though_applied_can_not_be_written",
    ),
    "A19": (JOURNAL + "test_healing_comes_before_keeping_what_was_torn",),
    "A20": (
        JOURNAL + "test_an_append_that_cannot_be_synced_is_taken_back",
        STORE + "test_a_failed_sync_leaves_nothing_behind",
    ),
    "A21": (
        KILLED + "test_the_end_that_a_dead_pass_has_seen_counts",
        ERRORS + "test_a_pass_with_a_failing_disk_loses_nothing",
    ),
    "A22": (
        "cli/test_frame_start.py::test_no_descriptor_left_is_one_line",
        ERRORS + "test_a_failing_command_says_so",
    ),
    "A23": ("says: The unit needs `KillMode=process` for `run-due --detach`",),
    "A24": (
        LIMITS + "test_descriptors_and_signals_of_a_handler_are_plain",
        LIMITS + "test_a_handler_inherits_no_signal_that_is_ignored",
        EXECUTOR + "test_the_pass_stays_where_it_was",
    ),
    # The rest.
    "A25": ("store/test_idle.py::test_anything_unusual_means_a_full_pass",),
    "A26": (
        IDLE + "test_next_is_not_written_while_something_is_open",
        "store/test_agenda_check.py::test_what_nobody_would_look_at_is_an_error",
    ),
    "A27": (
        "store/test_views.py::test_objects_and_markers_come_before_the_removals",
        "store/test_agenda.py::test_stale_markers_are_dropped",
    ),
    "A28": ("store/test_agenda.py::test_later_minutes_are_not_listed",),
    "A29": (
        "store/test_lock.py::test_a_lock_file_that_was_removed_is_no_lock",
        "cli/test_frame_start.py::test_an_idle_pass_imports_nothing_but_itself",
    ),
    "A30": (
        KILLED + "test_a_stopped_pass_is_named_by_those_who_wait_for_the_lock",
        RECOVER + "test_a_pass_that_is_stopped_does_not_keep_its_handlers_for_ever",
        "says: none breaks the lock",
    ),
    "A31": (
        "faults/test_sweep_readers.py::test_a_reader_sees_one_moment",
        "store/test_reading.py::test_when_the_lock_is_not_free_the_journal_is_laid_over_the_views",
    ),
    "A32": (
        STORE + "test_a_pass_reads_what_it_has_not_written_yet",
        "says: Views are written before a directory is listed",
    ),
    "A33": (
        RETENTION + "test_everything_can_be_rebuilt_from_the_base",
        RETENTION + "test_interrupted_at_any_step_it_can_be_done_again",
        "store/test_segments.py::test_a_packed_segment_reads_like_any",
        "store/test_rebuild.py::test_a_damaged_journal_is_refused_and_nothing_is_changed",
    ),
    "A34": ("says: `F_FULLFSYNC` in place of `fdatasync`",),
    "A35": (
        "store/test_home.py::test_a_network_file_system_is_refused",
        "installation/test_checks.py::test_file_systems_that_lose_records_are_told",
    ),
    "A36": (
        "executions/test_handlers_and_evidence.py::test_secrets_are_masked_in_what_is_kept",
        "says: Secrets in raw output are not masked while a handler runs",
    ),
    "A37": (
        LIMITS + "test_of_much_output_head_and_tail_are_kept",
        "says: Output is limited once a second",
        "installation/test_checks.py::test_a_full_disk_is_told",
        HOMES + "test_a_full_disk_loses_nothing_and_heals",
    ),
    "A38": ("says: Output files are durable at the next checkpoint",),
    "A39": (
        "store/test_idle.py::test_another_zone_of_the_machine_means_a_full_pass",
        "says: Each cue keeps the time zone that it was made with",
    ),
    "A40": (
        HOMES + "test_what_is_no_plain_file_of_ours_is_refused",
        IDLE + "test_next_that_is_no_file_of_ours_is_no_answer",
        "store/test_idle.py::test_a_heartbeat_that_cannot_be_left_is_an_error",
    ),
    "A41": (CRASHES + "test_a_killed_pass_loses_nothing",),
}

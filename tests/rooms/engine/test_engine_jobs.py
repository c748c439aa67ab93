"""Jobs: enqueued with the change, run once, remembered step by step, cancelled, stopped."""

from __future__ import annotations

import asyncio
import logging
import threading
import time

import pytest
import sqlalchemy as sa

from escrow.engine.errors import (
    AlreadyStarted,
    JobNotDone,
    JobUndefined,
    JobUnknown,
    KeyTaken,
    NotAnIdentifier,
    StepFailed,
)
from escrow.engine.jobs import JobEngine
from escrow.ground.errors import Refused


def note(shop, text: str) -> None:
    shop.done.append(text)


def greet(shop):
    return lambda context, arguments: note(shop, f"{context.key} {arguments['word']}")


def test_job_runs_once_with_its_identifiers(shop) -> None:
    shop.define("greet", greet(shop))
    shop.engine.start()
    assert shop.run("greet", "greet-1") == "done"
    assert shop.done == ["greet-1 hello"]


def test_rolled_back_transaction_leaves_no_job(shop) -> None:
    shop.define("greet", greet(shop))
    shop.engine.start()
    with pytest.raises(Refused), shop.database.writing() as session:
        shop.engine.enqueue(session, "greet", "greet-1", {})
        raise Refused("The change does not happen.", "Nothing is to do.")
    assert shop.engine.status("greet-1") is None
    assert shop.run("greet", "greet-2") == "done"


def test_job_is_not_seen_before_its_transaction_commits(shop) -> None:
    shop.define("greet", greet(shop))
    shop.engine.start()
    with shop.database.writing() as session:
        shop.engine.enqueue(session, "greet", "greet-1", {"word": "x"})
        time.sleep(0.6)
        assert shop.done == []
    assert shop.engine.wait("greet-1", 20).state == "done"


def test_same_key_twice_is_one_job_even_when_it_is_done(shop) -> None:
    shop.define("greet", greet(shop))
    shop.engine.start()
    with shop.database.writing() as session:
        shop.engine.enqueue(session, "greet", "greet-1", {"word": "a"})
        shop.engine.enqueue(session, "greet", "greet-1", {"word": "b"})
    shop.engine.wait("greet-1", 20)
    shop.run("greet", "greet-1")
    assert shop.done == ["greet-1 a"]


def test_key_of_another_job_is_refused(shop) -> None:
    shop.define("greet", greet(shop))
    shop.define("part", greet(shop))
    shop.engine.start()
    shop.enqueue("greet", "same")
    with pytest.raises(KeyTaken):
        shop.enqueue("part", "same")


def test_undefined_job_and_secret_argument_are_refused(shop) -> None:
    shop.define("greet", greet(shop))
    with pytest.raises(JobUndefined, match="greet"), shop.database.writing() as session:
        shop.engine.enqueue(session, "great", "k", {})
    with pytest.raises(NotAnIdentifier), shop.database.writing() as session:
        shop.engine.enqueue(session, "greet", "k", {"path": "/etc/passwd"})


def test_a_job_of_another_process_is_enqueued_here_and_not_done(shop) -> None:
    shop.define("greet", greet(shop))
    shop.engine.define_elsewhere("far")
    shop.engine.start()
    shop.enqueue("far", "far-1")
    shop.run("greet", "greet-1")
    assert shop.done == ["greet-1 hello"]
    assert not shop.engine.status("far-1").is_ended
    assert shop.engine.status("far-1").state == "waiting"


def test_steps_are_remembered_in_order(shop) -> None:
    def job(context, _) -> None:
        first = context.step("first", lambda: {"id": "dep_1"})
        note(shop, context.step("second", lambda: first["id"] + "!"))

    shop.define("steps", job)
    shop.engine.start()
    assert shop.run("steps", "steps-1") == "done"
    assert shop.done == ["dep_1!"]


def test_failing_step_is_tried_again_with_growing_pauses(shop) -> None:
    times: list[float] = []

    def flaky() -> str:
        times.append(time.monotonic())
        if len(times) < 3:
            raise OSError("the engine is away")
        return "came-back"

    shop.define(
        "flaky",
        lambda context, _: note(
            shop, context.step("fetch", flaky, attempts=3, backoff_seconds=0.1)
        ),
    )
    shop.engine.start()
    assert shop.run("flaky", "flaky-1") == "done"
    assert shop.done == ["came-back"]
    assert times[2] - times[1] > times[1] - times[0] >= 0.1


def test_refusal_is_not_tried_again(shop) -> None:
    calls: list[int] = []

    def refused() -> None:
        calls.append(1)
        raise Refused("It cannot be.", "Leave it.")

    shop.define("refused", lambda context, _: context.step("try", refused, attempts=5))
    shop.engine.start()
    assert shop.run("refused", "refused-1") == "failed"
    assert len(calls) == 1
    assert shop.engine.status("refused-1").failure == "request.refused"


def test_job_may_answer_a_failed_step_with_a_verdict(shop) -> None:
    def boom() -> None:
        raise ValueError("a secret of the vendor")

    def job(context, _) -> None:
        try:
            context.step("build", boom)
        except StepFailed as problem:
            cause = problem.cause
            context.step("verdict", lambda: note(shop, cause))

    shop.define("verdict", job)
    shop.engine.start()
    assert shop.run("verdict", "verdict-1") == "done"
    assert shop.done == ["ValueError"]


def test_sentence_of_an_error_is_not_written_into_the_engines_tables(shop) -> None:
    def boom() -> None:
        raise ValueError("line 17 of the vendor's log")

    def job(context, arguments) -> None:
        if arguments["word"] == "hello":
            context.step("build", boom)

    shop.define("boom", job)
    shop.engine.start()
    shop.run("boom", "boom-1")
    dump = "\n".join(dump_of(shop.database))
    assert "ValueError" in dump
    assert "vendor's log" not in dump


def dump_of(database) -> list[str]:
    with database.writer.connect() as connection:
        schema = None if database.is_sqlite else "dbos"
        names = sa.inspect(connection).get_table_names(schema)
        return [
            repr(row)
            for name in names
            for row in connection.execute(
                sa.select(sa.text("*")).select_from(sa.table(name, schema=schema))
            )
        ]


def test_delayed_job_waits_for_its_time(shop) -> None:
    shop.define("greet", greet(shop))
    shop.engine.start()
    shop.enqueue("greet", "greet-1", delay_seconds=1.5)
    assert shop.engine.status("greet-1").state == "delayed"
    with pytest.raises(JobNotDone):
        shop.engine.wait("greet-1", 0.5)
    assert shop.engine.wait("greet-1", 20).state == "done"


def test_cancelled_job_never_runs(shop) -> None:
    shop.define("greet", greet(shop))
    shop.engine.start()
    shop.enqueue("greet", "greet-1", delay_seconds=0.5)
    shop.engine.cancel("greet-1")
    time.sleep(1.5)
    assert shop.engine.status("greet-1").state == "cancelled"
    assert shop.done == []


def test_running_job_that_is_cancelled_cleans_up_and_ends(shop, caplog) -> None:
    running = threading.Event()
    cleaned = threading.Event()

    def long(context) -> None:
        try:
            while True:
                running.set()
                context.check_still_wanted()
                time.sleep(0.05)
        finally:
            cleaned.set()

    shop.define("long", lambda context, _: context.step("build", lambda: long(context)))
    shop.engine.start()
    shop.enqueue("long", "long-1")
    assert running.wait(20)
    shop.engine.cancel("long-1")
    assert cleaned.wait(20)
    assert shop.engine.status("long-1").state == "cancelled"
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_unknown_job_is_not_found(shop) -> None:
    shop.engine.prepare()
    assert shop.engine.status("none") is None
    with pytest.raises(JobUnknown):
        shop.engine.cancel("none")
    with pytest.raises(JobUnknown):
        shop.engine.wait("none", 1)


def test_jobs_of_one_partition_run_one_after_another(shop) -> None:
    spans: list[tuple[float, float]] = []

    def job(context, _) -> None:
        began = time.monotonic()
        time.sleep(0.4)
        spans.append((began, time.monotonic()))

    shop.define("verify", job)
    shop.engine.start()
    for number in range(2):
        shop.enqueue("verify", f"verify-{number}", partition="prd_1")
    for number in range(2):
        shop.engine.wait(f"verify-{number}", 20)
    first, second = sorted(spans)
    assert second[0] >= first[1]


def test_long_job_does_not_hold_up_another_kind(shop) -> None:
    free = threading.Event()
    shop.define("long", lambda *_: free.wait(20))
    shop.define("greet", greet(shop))
    shop.engine.start()
    for number in range(4):
        shop.enqueue("long", f"long-{number}")
    assert shop.run("greet", "greet-1") == "done"
    free.set()


def test_second_engine_in_a_process_is_refused(shop) -> None:
    shop.engine.start()
    other = JobEngine(shop.url, "other", 1, "jobs-1")
    with pytest.raises(AlreadyStarted):
        other.start()
    other.stop()
    with pytest.raises(AlreadyStarted):
        shop.engine.define("late", greet(shop))


def test_engine_that_is_not_started_enqueues_for_one_that_is(shop) -> None:
    portal = JobEngine(shop.url, "portal", 1, "jobs-1")
    portal.prepare()
    with shop.database.writing() as session:
        portal.enqueue(session, "greet", "greet-1", {"word": "x"})
    assert portal.status("greet-1").state == "waiting"
    shop.define("greet", greet(shop))
    shop.engine.start()
    assert portal.wait("greet-1", 20).state == "done"
    portal.stop()


def test_starts_and_stops_inside_a_running_loop(shop) -> None:
    shop.define("greet", greet(shop))

    async def serve() -> str:
        shop.engine.start()
        state = await asyncio.to_thread(shop.run, "greet", "greet-1")
        shop.engine.stop()
        return state

    assert asyncio.run(serve()) == "done"


def test_stop_lets_a_running_step_end_and_leaves_the_rest_to_the_next_start(shop) -> None:
    running = threading.Event()

    def slow() -> str:
        running.set()
        time.sleep(0.5)
        note(shop, "first")
        return "ok"

    def job(context, _) -> None:
        context.step("first", slow)
        context.step("second", lambda: note(shop, "second"))

    shop.define("two", job)
    shop.engine.start()
    shop.enqueue("two", "two-1")
    assert running.wait(20)
    shop.engine.stop()
    assert shop.done == ["first"]

    successor = JobEngine(shop.url, "next", 1, "jobs-1", beat_seconds=0.2, ttl_seconds=2.0)
    successor.define("two", job)
    successor.start()
    assert successor.wait("two-1", 20).state == "done"
    successor.stop()
    assert shop.done == ["first", "second"]


def test_job_that_kills_its_process_every_time_is_given_up(shop) -> None:
    shop.engine.prepare()
    shop.define("greet", greet(shop))
    shop.enqueue("greet", "greet-1")
    orphan(shop, "greet-1", attempts=22)
    shop.engine.start()
    assert shop.engine.wait("greet-1", 20).state == "given-up"


def orphan(shop, key: str, attempts: int = 1) -> None:
    """Put a job into the state in which a process that was killed leaves it."""
    jobs = "workflow_status" if shop.database.is_sqlite else "dbos.workflow_status"
    with shop.database.writing() as session:
        session.connection().execute(
            sa.text(
                f"UPDATE {jobs} SET status = 'PENDING', executor_id = 'gone',"
                " owner_xid = 'gone', recovery_attempts = :attempts,"
                " application_version = 'jobs-1', delay_until_epoch_ms = NULL"
                " WHERE workflow_uuid = :key"
            ),
            {"key": key, "attempts": attempts},
        )


def test_job_of_an_executor_that_falls_silent_is_taken_up(shop) -> None:
    shop.define("greet", greet(shop))
    shop.engine.start()
    shop.enqueue("greet", "greet-1", delay_seconds=600)
    orphan(shop, "greet-1")
    assert shop.engine.wait("greet-1", 20).state == "done"
    assert shop.done == ["greet-1 hello"]


def test_job_of_another_version_is_left_alone_and_told(shop, caplog) -> None:
    shop.define("greet", greet(shop))
    shop.engine.prepare()
    shop.enqueue("greet", "greet-1", delay_seconds=600)
    orphan(shop, "greet-1")
    successor = JobEngine(shop.url, "next", 1, "jobs-2", beat_seconds=0.2, ttl_seconds=1)
    successor.define("greet", greet(shop))
    successor.start()
    # On PostgreSQL nobody is judged before a time to live of good beats.
    time.sleep(2.5)
    assert successor.status("greet-1").state == "running"
    successor.stop()
    assert shop.done == []
    assert any("waits for a process" in record.message for record in caplog.records)


def test_job_let_go_of_in_a_silence_is_taken_up_by_the_same_process(shop, monkeypatch) -> None:
    runs: list[int] = []
    silent = threading.Event()
    monkeypatch.setattr(shop.engine, "is_fenced", lambda: silent.is_set())

    def job(context, _) -> None:
        runs.append(1)
        if len(runs) == 1:
            silent.set()
        context.step("only", lambda: note(shop, "done"))

    shop.define("silent", job)
    shop.engine.start()
    shop.enqueue("silent", "silent-1")
    assert silent.wait(20)
    time.sleep(0.3)
    silent.clear()
    assert shop.engine.wait("silent-1", 20).state == "done"
    assert (len(runs), shop.done) == (2, ["done"])

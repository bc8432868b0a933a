#!/usr/bin/env python3
"""mutants.py - bugs put in on purpose, one line each, and the test that must find each of them.

	mutants.py [WORD]	all, or those with WORD in their name or file

Works on a copy of the tree (build/mutants). A mutant of C is built there, quickly after the first one. First the named tests must pass
on the tree as it is; then each must fail with its mutant in. docs/RELIABILITY.md has the same table (a test compares them).
"""
import collections
import os
import shutil
import subprocess
import sys
import time

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
COPY = os.path.join(ROOT, "build", "mutants")
TEST_SECONDS, BUILD_SECONDS = 240, 900
HELPERS = ("witness", "work_probe")  # programs that the named tests start

# name: what is wrong; file; the text that is replaced (it stands there once), by what; the test that finds it
Mutant = collections.namedtuple("Mutant", "name file old new test")

WORK, STAGES = "tests/integration/test_work.py::", "tests/integration/test_bus_stages.py::"
LUA, JOBS, MODEL = "common/jobs/pl.lua", "tests/integration/test_jobs.py::", "tests/integration/test_model.py::"
RANDOM_CALLS = MODEL + "test_random_calls_answer_and_leave_what_the_model_says"

MUTANTS = [
    Mutant("beats need no token", LUA, "return state == 'active' and get(w.r, 'tok') == w.token and", "return state == 'active' and",
           JOBS + "test_the_same_loader_is_another_one_after_its_lease"),
    Mutant("results need no token", LUA, "if state == 'planned' or r[2] ~= w.token or not is_owner", "if state == 'planned' or not is_owner",
           JOBS + "test_the_same_loader_is_another_one_after_its_lease"),
    Mutant("any loader may write for any shard", LUA, "get(w.s, w.i .. '.own') == w.owner\nend", "true\nend",
           JOBS + "test_a_token_without_the_shard_is_worth_nothing"),
    Mutant("the same token at each lease", LUA, "text(call('INCR', P .. 'tok')) .. '.' .. nonce", "'1.' .. nonce",
           JOBS + "test_the_same_loader_is_another_one_after_its_lease"),
    Mutant("nobody looks for leases that are over", LUA, "in ipairs(taken('lease', max)) do", "in ipairs({}) do",
           JOBS + "test_who_lost_the_lease_cannot_write_any_more"),
    Mutant("a late result is thrown away", LUA, "then return take_late(w, sha, bytes) end", "then return {'STALE', state} end",
           JOBS + "test_a_late_result_is_taken_while_nobody_began_anew"),
    Mutant("a late shard of several is taken", LUA, "if state == 'planned' and r[4] == '1' and", "if state == 'planned' and",
           JOBS + "test_a_late_shard_of_several_is_not_taken"),
    Mutant("a repeated event is a change again", LUA, "if state ~= '' then return {'DUP', state} end", "",
           JOBS + "test_a_repeat_of_an_event_is_known_in_every_state"),
    Mutant("a repeated result counts again", LUA, "if get(w.s, w.i .. '.st') == 'done' then return {'DUP'} end", "",
           JOBS + "test_a_late_result_is_taken_while_nobody_began_anew"),
    Mutant("an amendment counts as a result", LUA, "if not before and has_result then", "if has_result then",
           JOBS + "test_an_amendment_takes_the_place_of_what_was_not_told"),
    Mutant("a newer change replaces nothing", LUA, "	for _, run in ipairs(call('LRANGE', fq, 0, -1)) do", "	for _, run in ipairs({}) do",
           JOBS + "test_a_newer_change_replaces_what_waits"),
    Mutant("a mutable target is tested to the end", LUA, "if act ~= '' and (is_removal or get(key('r', act), 'mut') == '1')", "if act ~= '' and is_removal",
           JOBS + "test_a_newer_change_ends_an_active_run_only_when_its_target_is_mutable"),
    Mutant("a result beside a newer change of a mutable target counts", LUA, "	if get(w.r, 'cxl') ~= '' then -- what was tested",
           "	if false then -- what was tested", JOBS + "test_a_newer_change_ends_an_active_run_only_when_its_target_is_mutable"),
    Mutant("two runs of a function at once", LUA, "if get(key('f', fn), 'act') ~= '' then return end",
           "", JOBS + "test_one_run_of_a_function_at_a_time"),
    Mutant("a run is tried for ever", LUA, "elseif count >= MOST[reason] then", "elseif false then",
           JOBS + "test_a_run_that_kills_its_loaders_ends_dead"),
    Mutant("a loader that stops counts as a failure of the run", LUA, "retry == 2 and 'lexp' or 'fail'", "'fail'",
           JOBS + "test_a_loader_that_stops_is_not_its_run_s_failure"),
    Mutant("the back-off does not grow", LUA, "math.min(1000 * 2 ^ before, most)", "1000",
           JOBS + "test_the_back_off_grows_while_nobody_begins_to_eight_seconds"),
    Mutant("resources are not given back", LUA, "	occupy(run, -1)\n", "", JOBS + "test_resources_are_held_while_active_and_not_longer"),
    Mutant("a lease looks at no limit", LUA, "local name = without_room(resources(run))\n	return name and 'resource ' .. name", "return nil",
           JOBS + "test_resources_are_held_while_active_and_not_longer"),
    Mutant("the day's money has no limit", LUA, "booked + sum > limit then", "false then",
           JOBS + "test_no_run_is_planned_beyond_the_money_of_the_day"),
    Mutant("money of a run that called nothing is kept", LUA, "if get(r, 'called') == '' then", "if false then",
           JOBS + "test_money_is_given_back_when_nothing_was_called"),
    Mutant("a lost try costs nothing", LUA, "		book(run, 1)\n		call('HINCRBY', r, 'lost'", "		call('HINCRBY', r, 'lost'",
           JOBS + "test_each_try_that_called_is_paid"),
    Mutant("an entry is gone once it was taken", LUA, "if e then entries[#entries + 1] = {entry, e[2], e[3], e[4], e[5]} else drop_entry(fn, entry) end",
           "if e then entries[#entries + 1] = {entry, e[2], e[3], e[4], e[5]} end drop_entry(fn, entry)",
           JOBS + "test_an_entry_stays_until_it_is_done_and_remembers_who_has_it"),
    Mutant("news that came while the sink was at work waits", LUA, "due('out', fn, 0, 'LT')", "due('out', fn, 0, 'NX')",
           JOBS + "test_an_entry_stays_until_it_is_done_and_remembers_who_has_it"),
    Mutant("an end without a result is not told", LUA, "		to_collector(run, who, why)\n	end\nend", "		publish(run, who, why)\n	end\nend",
           JOBS + "test_a_dead_run_is_told_and_can_be_tried_again"),
    Mutant("what was removed is told", LUA, "	if is_removed(fn) then\n		if state", "	if false then\n		if state",
           JOBS + "test_a_result_of_a_function_that_was_removed_is_told_to_nobody"),
    Mutant("an amendment to worse is not confirmed", LUA, "if has_result and wanted then", "if not before and has_result and wanted then",
           JOBS + "test_an_amendment_to_worse_is_confirmed_too_and_once"),
    Mutant("a confirmation beside a newer change", LUA, "if line and get(key('f', fn), 'last') == change and", "if line and",
           JOBS + "test_no_confirmation_beside_a_newer_change"),
    Mutant("the audit sees nothing", LUA, "if MEND[kind] then MEND[kind](id, fixed) end", "", JOBS + "test_an_index_that_is_lost_is_made_again"),
    Mutant("times too far ahead stay", LUA, "for _, member in ipairs(far) do call('ZADD', q, limit, member) end", "",
           JOBS + "test_times_that_lie_too_far_ahead_are_clamped"),
    Mutant("the intake goes on in full memory", LUA, "local INTAKE = {}", "local INTAKE = {'allow-oom'}",
           JOBS + "test_full_memory_refuses_the_intake_and_lets_the_rest_come_to_its_end"),
    Mutant("nothing goes on in full memory", LUA, "local MOVES = {'allow-oom'}", "local MOVES = {}",
           JOBS + "test_full_memory_refuses_the_intake_and_lets_the_rest_come_to_its_end"),
    Mutant("status counts as writing", LUA, "local READS = {'no-writes', 'allow-stale'}", "local READS = {}",
           JOBS + "test_reading_goes_on_when_nothing_can_be_written"),
    Mutant("a move is not in the journal", LUA, "	journal(id, from, to, '', who, why)\n", "", RANDOM_CALLS),
    Mutant("a finished run is kept for ever", LUA, "	for _, k in ipairs(run_keys(run)) do call('EXPIRE', k, keep) end\n", "", RANDOM_CALLS),
    Mutant("a kick is forgotten", LUA, "	due('meas', run)\n	kick('meas')\n	move(run, 'measured'", "	due('meas', run)\n	move(run, 'measured'",
           RANDOM_CALLS),
    Mutant("a result is acknowledged before Redis has it", "common/work/intake.c", "	redis_arg(&args, a->run);\n	redis_arg_int(&args, a->index);",
           '	acknowledge(a->in, &a->peer, a->run, a->index, a->token, "OK");\n	redis_arg(&args, a->run);\n	redis_arg_int(&args, a->index);',
           WORK + "test_a_result_is_acknowledged_only_when_redis_has_it"),
    Mutant("a result leaves the spool when it is sent", "common/work/worker_results.c",
           "	if (send_line(w, it, line, len_bytes) != 0)\n		it->sent_us = 0;",
           "	if (send_line(w, it, line, len_bytes) == 0)\n		spool_drop(&w->spool, it);",
           WORK + "test_a_result_that_was_sent_and_lost_is_sent_again"),
    Mutant("a loader goes on without its lease", "common/work/worker_held.c", "if (h->state == HELD_RUNNING && lease_is_near_its_end(h, now_us)) {",
           "if (h->state == HELD_RUNNING && lease_is_near_its_end(h, now_us) && !h) {", WORK + "test_without_a_broker_the_loader_fences_itself"),
    Mutant("entries are done before a destination has them", "common/stage/inbox_outbox.c", "		if (f->acked < f->count) {", "		if (f->offered < f->count) {",
           "tests/integration/test_services.py::test_a_run_is_published_only_when_the_gateway_has_it"),
    Mutant("a gateway that was started again is not filled again", "cmd/sink/to_pushgateway.c",
           "	snprintf(p->started, sizeof(p->started), \"%s\", now);\n	owe_everything(p);", "	snprintf(p->started, sizeof(p->started), \"%s\", now);",
           "tests/integration/test_sink.py::test_a_gateway_that_restarts_while_we_run"),
    Mutant("a result is sent once", "common/work/worker_results.c", "if (is_due(it, now_us) && sent < RESEND_MAX)",
           "if (false && is_due(it, now_us) && sent < RESEND_MAX)", WORK + "test_results_wait_in_the_spool_for_a_collector"),
    Mutant("a damaged result is a result", "common/stage/results.c", "return strcmp(found, sha256_hex) == 0 ? 0 : -EBADMSG;",
           "return strcmp(found, sha256_hex) == 0 ? 0 : 0;", STAGES + "test_a_damaged_result_is_told_as_incomplete"),
    Mutant("a verdict is told before its file is there", "common/stage/inbox_runs.c", "	if (rc)\n		return rc;\n	CRASH_POINT(\"runs.post-file\");",
           "	log_debug(\"%d\", rc);\n	CRASH_POINT(\"runs.post-file\");", STAGES + "test_a_disk_that_takes_nothing_keeps_the_run_measured"),
    Mutant("a dead run that is tried again is the same one", "common/stage/inbox_changes.c", "	if (*id != ID_CONFIRM)\n", "	if (false)\n",
           STAGES + "test_a_dead_run_that_is_tried_again_is_a_new_one"),
    Mutant("an entry is done before it is pushed", "cmd/sink/to_pushgateway.c", "	return -EINPROGRESS;", "	return 0;",
           STAGES + "test_a_destination_that_is_away_does_not_keep_news_from_the_others"),
]


def run(command, seconds, **kw):
    return subprocess.run(command, cwd=COPY, timeout=seconds, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **kw)


def make_copy():
    """The tree as it is now, what git would commit; what is built there stays, so that little is built again."""
    names = subprocess.run(["git", "-C", ROOT, "ls-files", "-co", "--exclude-standard"], capture_output=True, text=True, check=True)
    for name in filter(None, names.stdout.split("\n")):
        source, target = os.path.join(ROOT, name), os.path.join(COPY, name)
        if not os.path.isfile(source):
            continue
        with open(source, "rb") as f:
            data = f.read()
        if not os.path.exists(target) or open(target, "rb").read() != data:
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copy(source, target)
    os.makedirs(os.path.join(COPY, "build"), exist_ok=True)
    venv = os.path.join(COPY, "build", "venv")
    if not os.path.lexists(venv):
        os.symlink(os.path.join(ROOT, "build", "venv"), venv)


def build():
    """As make check-integration does: the programs and the helpers that tests start."""
    done = run([os.environ.get("MAKE", "make"), "-j2", "all", *(f"build/release/tests/{name}" for name in HELPERS)], BUILD_SECONDS)
    if done.returncode:
        raise SystemExit(f"cannot build the copy:\n{done.stdout[-2000:]}")


def passes(test):
    """True, False; or None when the test could not say."""
    env = dict(os.environ, PLIMSOLL_BUILD=os.path.join(COPY, "build", "release"))
    command = [os.path.join(COPY, "build", "venv", "bin", "python"), "-m", "pytest", "-x", "-c", "tests/pytest.ini",
               "--basetemp=" + os.path.join(COPY, "build", "pytest"), test]
    code = run(command, TEST_SECONDS, env=env).returncode
    return {0: True, 1: False}.get(code)


def needs_build(mutants):
    return any(not m.file.endswith(".lua") for m in mutants)


def text_of(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def write(path, text):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def is_found(mutant):
    path = os.path.join(COPY, mutant.file)
    text = text_of(path)
    if text.count(mutant.old) != 1:
        raise SystemExit(f"{mutant.name}: its text stands {text.count(mutant.old)} times in {mutant.file}")
    write(path, text.replace(mutant.old, mutant.new))
    try:
        if needs_build([mutant]):
            build()
        return passes(mutant.test) is False
    finally:
        write(path, text)


def main(word=""):
    chosen = [m for m in MUTANTS if word in m.name or word in m.file]
    began, missed = time.monotonic(), []
    make_copy()
    if needs_build(chosen):
        build()
    for test in dict.fromkeys(m.test for m in chosen):
        if passes(test) is not True:
            raise SystemExit(f"without a mutant {test} does not pass")
    for m in chosen:
        found = is_found(m)
        print(f"{'found ' if found else 'MISSED'} {m.name}: {m.test.rpartition('::')[2]}", flush=True)
        missed += [] if found else [m]
    print(f"{len(chosen)} mutants, {len(missed)} not found, {time.monotonic() - began:.0f} s")
    return 1 if missed or not chosen else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))

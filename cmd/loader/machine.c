/* machine.c - see machine.h. */
#include "cmd/loader/machine.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/fsio.h"

#define STAT_MAX_BYTES (1024u * 1024u)

enum { USER, NICE, SYSTEM, IDLE, IOWAIT, IRQ, SOFTIRQ, STEAL, FIELD_COUNT };

bool machine_parse(const char *line, struct machine_ticks *out)
{
	uint64_t field[FIELD_COUNT];
	char *at;

	if (strncmp(line, "cpu ", 4) != 0)
		return false;
	at = (char *)line + 4;
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		char *before = at;

		field[i] = strtoull(before, &at, 10);
		if (at == before)
			return false;
	}
	*out = (struct machine_ticks){
		.busy = field[USER] + field[NICE] + field[SYSTEM] + field[IRQ] + field[SOFTIRQ],
		.steal = field[STEAL],
	};
	out->all = out->busy + out->steal + field[IDLE] + field[IOWAIT];
	return true;
}

static struct machine_ticks read_ticks(void)
{
	struct buf text = BUF_INIT(STAT_MAX_BYTES);
	struct machine_ticks t = {0};

	if (fs_read("/proc/stat", &text) == 0 && !machine_parse(buf_str(&text), &t))
		t = (struct machine_ticks){0};
	buf_release(&text);
	return t;
}

uint64_t machine_parse_wait(const char *line)
{
	char *behind_ran, *end;
	uint64_t waited_ns;

	(void)strtoull(line, &behind_ran, 10);
	waited_ns = strtoull(behind_ran, &end, 10);
	return behind_ran == line || end == behind_ran ? 0 : waited_ns;
}

static uint64_t read_wait(void)
{
	struct buf text = BUF_INIT(STAT_MAX_BYTES);
	uint64_t waited_ns = 0;

	if (fs_read("/proc/self/schedstat", &text) == 0)
		waited_ns = machine_parse_wait(buf_str(&text));
	buf_release(&text);
	return waited_ns;
}

void machine_begin(struct machine *m)
{
	m->waited_ns = read_wait();
	m->ticks = read_ticks();
	getrusage(RUSAGE_SELF, &m->own);
	m->wall = wall_now();
	m->at = mono_now();
}

static double cpu_s(const struct rusage *u)
{
	return (double)(u->ru_utime.tv_sec + u->ru_stime.tv_sec) +
	       (double)(u->ru_utime.tv_usec + u->ru_stime.tv_usec) / 1e6;
}

void machine_end(const struct machine *m, struct machine_use *out)
{
	struct machine now;
	double took_s, own_s, all, cores = (double)sysconf(_SC_NPROCESSORS_ONLN);

	*out = (struct machine_use){.own_ratio = 0};
	if (!m->at.ns) /* not begun: what failed before its first call */
		return;
	machine_begin(&now);
	took_s = (double)mono_diff_ns(now.at, m->at) / 1e9;
	own_s = cpu_s(&now.own) - cpu_s(&m->own);
	*out = (struct machine_use){
		.clock_step_ms =
			(wall_diff_ns(now.wall, m->wall) - mono_diff_ns(now.at, m->at)) / NS_PER_MS,
	};
	if (took_s > 0)
		out->own_ratio = own_s / took_s;
	if (took_s > 0 && now.waited_ns > m->waited_ns)
		out->wait_ratio = (double)(now.waited_ns - m->waited_ns) / 1e9 / took_s;
	/* One of the two readings may have failed: no descriptor may be left. */
	if (!m->ticks.all || now.ticks.all <= m->ticks.all || took_s <= 0)
		return;
	all = (double)(now.ticks.all - m->ticks.all);
	out->steal_ratio = (double)(now.ticks.steal - m->ticks.steal) / all;
	out->others_ratio = (double)(now.ticks.busy - m->ticks.busy) / all -
			    out->own_ratio / (cores > 0 ? cores : 1);
	out->others_ratio = out->others_ratio > 0 ? out->others_ratio : 0;
}

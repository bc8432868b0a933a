/*
 * details.h - the indented part of a run's report: figures, objectives, requests, the cloud.
 */
#ifndef PLIMSOLL_SINK_DETAILS_H
#define PLIMSOLL_SINK_DETAILS_H

#include "cmd/sink/report.h"
#include "common/base/table.h"
#include "common/json/json.h"

/* data is that of run.finished; each writes nothing where there is nothing to say. */
void details_metrics(const struct json *data, const struct look *look, struct buf *out);
void details_rest(const struct json *data, const struct look *look, struct buf *out);
void details_amended(const struct json *data, const struct look *look, struct buf *out);

/* The style of a verdict, an outcome or a state of an objective; from report.c. */
enum text_style report_style(const char *word);

#endif

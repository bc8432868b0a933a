/*
 * plan.h - what run.planned says to the estimates (rank 3). Everything is borrowed from the plan.
 */
#ifndef PLIMSOLL_VERDICT_PLAN_H
#define PLIMSOLL_VERDICT_PLAN_H

#include "common/json/json.h"
#include "common/verdict/gate.h"

#define LOTTERY_DEFAULT 0.05 /* where calibrate has not measured it */

struct estimate_options plan_options(const struct json *plan);
/* One of its metrics, with its estimate. */
struct gate plan_gate(const struct json *metric, const struct estimate *est);

#endif

#include "common/event/field.h"

#define FC EV_BIT(EV_FUNCTION_CHANGED)
#define FR EV_BIT(EV_FUNCTION_REMOVED)
#define RP EV_BIT(EV_RUN_PLANNED)
#define SP EV_BIT(EV_SHARD_PLANNED)
#define SG EV_BIT(EV_SHARD_PROGRESS)
#define SF EV_BIT(EV_SHARD_FINISHED)
#define MR EV_BIT(EV_MEASUREMENT)
#define RF EV_BIT(EV_RUN_FINISHED)
#define OURS (EV_BIT(EV_OTHER) - 1u)
#define ENVELOPE (OURS | EV_BIT(EV_OTHER))
#define REQ true
#define OPT false
#define VERDICTS "better|worse|no-difference|cannot-tell|not-compared"
#define TEMPERATURE_WORDS "unknown|warm|cold|restored"

const struct field event_fields[] = {
#define FIELD(kinds, path, type, need, words, max, unit, doc)                                      \
	{kinds, path, F_##type, need, words, max, unit, doc},
#include "common/event/fields.def"
#undef FIELD
};

const size_t event_field_count = ARRAY_LEN(event_fields);

#include "cmd/sink/pages.h"

#include "cmd/sink/merge.h"
#include "common/digest/digest.h"

#define JOB "plimsoll"
#define BATCH "_/batch-"
#define BATCH_LABEL "batch"
#define BATCHES 16 /* a push to a gateway that checks costs as much as all that it holds */

bool pages_key(const char *subject, char key[PAGES_KEY_SIZE])
{
	struct subject parts;

	if (subject == NULL || subject_parse(subject, &parts) != 0)
		return false;
	snprintf(key, PAGES_KEY_SIZE, PAGES_FOLDER "/%s/%s", parts.account, parts.function);
	return true;
}

static bool is_batch_name(const char *group)
{
	return !strncmp(group, BATCH, strlen(BATCH));
}

void pages_group_of(const char *subject, bool is_batch, char group[PAGES_GROUP_SIZE])
{
	uint8_t sum[SHA256_BYTES];

	if (!is_batch || !strcmp(subject, PAGES_SERVICE)) {
		snprintf(group, PAGES_GROUP_SIZE, "%s", subject);
		return;
	}
	digest_sha256(subject, strlen(subject), sum);
	snprintf(group, PAGES_GROUP_SIZE, BATCH "%02d", sum[0] % BATCHES);
}

bool pages_group_from(const struct json *labels, char group[PAGES_GROUP_SIZE])
{
	const char *account = json_get_str(labels, "account");
	const char *function = json_get_str(labels, "function");
	const char *batch = json_get_str(labels, BATCH_LABEL);

	*group = '\0';
	if (batch != NULL && json_len(labels) == 2)
		snprintf(group, PAGES_GROUP_SIZE, BATCH "%s", batch);
	else if (account != NULL && function != NULL && json_len(labels) == 3)
		snprintf(group, PAGES_GROUP_SIZE, "%s/%s", account, function);
	return pages_is_group(group);
}

bool pages_is_group(const char *name)
{
	char key[PAGES_KEY_SIZE];

	if (name == NULL)
		return false;
	if (is_batch_name(name))
		return strlen(name) == strlen(BATCH) + 2;
	return !strcmp(name, PAGES_SERVICE) || pages_key(name, key);
}

bool pages_has(const char *group, bool is_batch)
{
	return !strcmp(group, PAGES_SERVICE) || is_batch_name(group) == is_batch;
}

void pages_path(const char *group, struct buf *path)
{
	const char *slash = strchr(group, '/');
	char *account = x_strndup(group, (size_t)(slash - group));
	const char *pairs[] = {"job", JOB, "account", account, "function", slash + 1};
	const char *shared[] = {"job", JOB, BATCH_LABEL, group + strlen(BATCH)};

	if (is_batch_name(group))
		prom_group_path(shared, 2, path);
	else
		prom_group_path(pairs, 3, path);
	free(account);
}

/* plimsoll accept wrote which run it was about; it is no event, so it is read when it is needed. */
static void add_accepted(const struct sink_world *w, const char *subject, struct json *doc)
{
	char *key = x_asprintf("accepted/%s", subject);
	struct json *accepted = stage_state_get(w->st, key);

	json_put_str(doc, "accepted", json_get_str(accepted, "run"));
	json_free(accepted);
	free(key);
}

static void render_function(const struct sink_world *w, const char *subject, struct buf *body)
{
	struct prom page = PROM_INIT;
	struct json *doc = NULL;
	char key[PAGES_KEY_SIZE];

	if (pages_key(subject, key))
		doc = stage_state_get(w->st, key);
	if (doc != NULL) {
		add_accepted(w, subject, doc);
		ledger_group(doc, w->exports, w->export_count, &page);
	}
	json_free(doc);
	prom_write(&page, body);
	prom_release(&page);
}

static void render_service(size_t refused, struct buf *body)
{
	struct prom page = PROM_INIT;
	int rc = prom_set(&page, PM_SINK_REJECTED, NULL, (double)refused);

	BUG_ON(rc != 0);
	prom_write(&page, body);
	prom_release(&page);
}

struct batch {
	const struct sink_world *world;
	const char *group;
	struct strmap subjects;
};

static void note_subject(const char *key, void *ctx)
{
	struct batch *b = ctx;
	const char *subject = key + strlen(PAGES_FOLDER "/");
	char group[PAGES_GROUP_SIZE];

	pages_group_of(subject, true, group);
	if (!strcmp(group, b->group))
		strmap_put(&b->subjects, subject, b);
}

static void render_batch(const struct sink_world *w, const char *group, struct buf *body)
{
	struct batch b = {.world = w, .group = group};
	struct merge all = {0};
	struct buf page = BUF_INIT((size_t)64 * 1024);

	stage_state_each(w->st, PAGES_FOLDER, note_subject, &b);
	for (size_t i = 0; i < b.subjects.count; i++) {
		const char *subject = b.subjects.items[i].key, *slash = strchr(subject, '/');
		char *account = x_strndup(subject, (size_t)(slash - subject));

		buf_clear(&page);
		render_function(w, subject, &page);
		merge_add(&all, account, slash + 1, buf_str(&page));
		free(account);
	}
	merge_write(&all, body);
	merge_release(&all);
	buf_release(&page);
	strmap_release(&b.subjects, NULL);
}

void pages_render(const struct sink_world *w, const char *group, bool is_batch, size_t refused,
		  struct buf *body)
{
	buf_clear(body);
	if (!pages_has(group, is_batch))
		return;
	if (!strcmp(group, PAGES_SERVICE))
		render_service(refused, body);
	else if (is_batch)
		render_batch(w, group, body);
	else
		render_function(w, group, body);
}

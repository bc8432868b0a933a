#include "common/aws/profile.h"

#include <errno.h>

static char *path_of(const char *variable, const char *under_home)
{
	const char *given = getenv(variable), *home = getenv("HOME");

	if (given && *given)
		return x_strdup(given);
	return home && *home ? x_asprintf("%s/%s", home, under_home) : NULL;
}

static int load(const char *path, struct ini **out, struct aws_error *err)
{
	char why[INI_WHY_SIZE];
	int rc = path ? ini_load(path, out, why) : -ENOENT;

	if (rc == 0 || rc == -ENOENT || rc == -ENOTDIR)
		return 0;
	return aws_error_set(err, AWS_BAD_REQUEST, "cannot read %s: %s; correct the file", path,
			     why);
}

int profiles_load(struct profiles *p, struct aws_error *err)
{
	int rc;

	*p = (struct profiles){
		.config_path = path_of("AWS_CONFIG_FILE", ".aws/config"),
		.credentials_path = path_of("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials"),
	};
	rc = load(p->config_path, &p->config, err);
	if (rc == 0)
		rc = load(p->credentials_path, &p->credentials, err);
	if (rc)
		profiles_release(p);
	return rc;
}

void profiles_release(struct profiles *p)
{
	ini_free(p->config);
	ini_free(p->credentials);
	free(p->config_path);
	free(p->credentials_path);
	*p = (struct profiles){0};
}

const char *profile_name(const char *name)
{
	static const char *const variables[] = {"AWS_PROFILE", "AWS_DEFAULT_PROFILE"};

	if (name && *name)
		return name;
	for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
		const char *value = getenv(variables[i]);

		if (value && *value)
			return value;
	}
	return "default";
}

/* In the config file a profile's section is "profile NAME", but for the default one. */
static char *config_section(const char *name)
{
	return strcmp(name, "default") ? x_asprintf("profile %s", name) : x_strdup(name);
}

static const char *config_get(const struct profiles *p, const char *name, const char *key)
{
	char *section = config_section(name);
	const char *value = ini_get(p->config, section, key);

	free(section);
	if (!value && !strcmp(name, "default"))
		value = ini_get(p->config, "profile default", key);
	return value;
}

bool profile_exists(const struct profiles *p, const char *name)
{
	return config_get(p, name, "") || ini_has_section(p->credentials, name);
}

const char *profile_get(const struct profiles *p, const char *name, const char *key)
{
	const char *value = ini_get(p->credentials, name, key);

	if (!value)
		value = config_get(p, name, key);
	return value && *value ? value : NULL;
}

const char *profile_endpoint(const struct profiles *p, const char *name, const char *service)
{
	const char *services = profile_get(p, name, "services");

	if (services) {
		char *section = x_asprintf("services %s", services);
		char *key = x_asprintf("%s.endpoint_url", service);
		const char *url = ini_get(p->config, section, key);

		free(section);
		free(key);
		if (url && *url)
			return url;
	}
	return profile_get(p, name, "endpoint_url");
}

#include "common/aws/aws.h"
#include "common/aws/profile.h"

#include <strings.h>

static const struct {
	const char *host, *variable, *section_key;
} services[] = {
#define X(symbol, signing, host, variable, key)                                                    \
	[symbol] = {host, "AWS_ENDPOINT_URL_" variable, key},
	AWS_SERVICES(X)
#undef X
};

static const char *from_environment(enum aws_service s)
{
	const char *url = getenv(services[s].variable);

	if (!url || !*url)
		url = getenv("AWS_ENDPOINT_URL");
	return url && *url ? url : NULL;
}

static char *from_profile(enum aws_service s, const char *profile)
{
	struct profiles p;
	const char *url;
	char *copy = NULL;

	if (profiles_load(&p, NULL) != 0)
		return NULL; /* the credential chain tells about the file */
	url = profile_endpoint(&p, profile_name(profile), services[s].section_key);
	if (url)
		copy = x_strdup(url);
	profiles_release(&p);
	return copy;
}

static char *public_url(enum aws_service s, const char *region)
{
	const char *suffix = strncmp(region, "cn-", 3) ? "" : ".cn";

	return x_asprintf("https://%s.%s.amazonaws.com%s", services[s].host, region, suffix);
}

static char *without_slash(char *url)
{
	size_t len = strlen(url);

	while (len && url[len - 1] == '/')
		url[--len] = '\0';
	return url;
}

char *aws_endpoint(enum aws_service s, const char *account_endpoint, const char *profile,
		   const char *region)
{
	const char *ignored = getenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
	const char *url = account_endpoint;
	char *found = NULL;

	if (!url && !(ignored && !strcasecmp(ignored, "true"))) {
		url = from_environment(s);
		if (!url)
			found = from_profile(s, profile);
	}
	if (url)
		found = x_strdup(url);
	return without_slash(found ? found : public_url(s, region));
}

char *aws_default_region(const char *profile)
{
	static const char *const variables[] = {"AWS_REGION", "AWS_DEFAULT_REGION"};
	struct profiles p;
	const char *region;
	char *copy = NULL;

	for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
		region = getenv(variables[i]);
		if (region && *region)
			return x_strdup(region);
	}
	if (profiles_load(&p, NULL) != 0)
		return NULL;
	region = profile_get(&p, profile_name(profile), "region");
	if (region)
		copy = x_strdup(region);
	profiles_release(&p);
	return copy;
}

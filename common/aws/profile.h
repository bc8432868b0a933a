/*
 * profile.h - profiles of the shared config and credentials files (rank 3).
 *
 * AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE, else ~/.aws/config and ~/.aws/credentials. A
 * file that does not exist is empty.
 *
 *	struct profiles p;
 *	rc = profiles_load(&p, &err);
 *	const char *region = profile_get(&p, "dev", "region");
 *	profiles_release(&p);
 */
#ifndef PLIMSOLL_AWS_PROFILE_H
#define PLIMSOLL_AWS_PROFILE_H

#include "common/aws/error.h"
#include "common/aws/ini.h"

struct profiles {
	struct ini *config, *credentials;     /* NULL = no such file */
	char *config_path, *credentials_path; /* as looked for; NULL without a home */
};

/* AWS_BAD_REQUEST with file and line when a file cannot be read. */
MUST_CHECK int profiles_load(struct profiles *p, struct aws_error *err);
void profiles_release(struct profiles *p);
/* name, else $AWS_PROFILE, else $AWS_DEFAULT_PROFILE, else "default". Borrowed. */
const char *profile_name(const char *name);
bool profile_exists(const struct profiles *p, const char *name);
/* The credentials file counts before the config file. Borrowed; NULL when absent or empty. */
const char *profile_get(const struct profiles *p, const char *name, const char *key);
/* endpoint_url of the profile's services section for that service, else of the profile. */
const char *profile_endpoint(const struct profiles *p, const char *name, const char *service);

#endif

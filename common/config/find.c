/* find.c - where the settings are when nobody says. */
#include <stdlib.h>
#include <unistd.h>

#include "common/config/config.h"

static char *below_home(void)
{
	const char *base = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

	if (base && *base == '/')
		return x_asprintf("%s/plimsoll/plimsoll.yaml", base);
	return home && *home == '/' ? x_asprintf("%s/.config/plimsoll/plimsoll.yaml", home) : NULL;
}

char *config_find(void)
{
	char *places[] = {x_strdup("plimsoll.yaml"), below_home(),
			  x_strdup("/etc/plimsoll/plimsoll.yaml")};
	char *found = NULL;

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		if (!found && places[i] && access(places[i], R_OK) == 0)
			found = places[i];
		else
			free(places[i]);
	}
	return found;
}

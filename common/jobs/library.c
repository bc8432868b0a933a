/* library.c - the text of pl.lua, from the file beside this one (the Makefile knows that). */
#include "common/jobs/jobs.h"

__asm__(".pushsection .rodata\n"
	".global jobs_library\n"
	"jobs_library:\n"
	".incbin \"common/jobs/pl.lua\"\n"
	".byte 0\n"
	".popsection\n");

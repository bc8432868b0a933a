/*
 * banned.h - calls that have a safer twin here (rank 0). The build includes it into
 * every file of ours (-include), so using one of them does not compile.
 */
#ifndef PLIMSOLL_BASE_BANNED_H
#define PLIMSOLL_BASE_BANNED_H

/* System headers first, so that their own declarations are not poisoned. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PL_BANNED(name) name##_is_banned_see_banned_h

#undef strcpy
#undef strcat
#undef strncpy
#undef strncat
#undef sprintf
#undef vsprintf
#undef strtok
#undef atoi
#undef atol
#undef atof
#undef sscanf
#undef gmtime
#undef localtime
#undef ctime
#undef mktemp
#undef system
#undef popen
#undef alloca
#undef usleep
#undef gets
#define strcpy PL_BANNED(strcpy)     /* buf_add, x_strdup */
#define strcat PL_BANNED(strcat)     /* buf_adds */
#define strncpy PL_BANNED(strncpy)   /* snprintf, x_strndup */
#define strncat PL_BANNED(strncat)   /* buf_add */
#define sprintf PL_BANNED(sprintf)   /* snprintf, buf_addf */
#define vsprintf PL_BANNED(vsprintf) /* vsnprintf */
#define strtok PL_BANNED(strtok)     /* strcspn */
#define atoi PL_BANNED(atoi)	     /* unit_parse_u64 */
#define atol PL_BANNED(atol)
#define atof PL_BANNED(atof)
#define sscanf PL_BANNED(sscanf)
#define gmtime PL_BANNED(gmtime) /* wall_format */
#define localtime PL_BANNED(localtime)
#define ctime PL_BANNED(ctime)
#define mktemp PL_BANNED(mktemp) /* mkstemp */
#define system PL_BANNED(system) /* proc_spawn */
#define popen PL_BANNED(popen)
#define alloca PL_BANNED(alloca)
#define usleep PL_BANNED(usleep) /* a loop timer */
#define gets PL_BANNED(gets)

#endif

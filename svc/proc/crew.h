/*
 * proc/crew.h - which processes a configuration asks for, and as which users they run
 */
#ifndef PROC_CREW_H
#define PROC_CREW_H

#include "config/settings.h"
#include "proc/process.h"
#include "store/role.h"

#include <sys/types.h>

struct crew_seat {
	enum process_kind kind;
	const char *instance;		/* borrowed from the settings, or "" */
	uint32_t index;
};

/* The processes in the order in which they are started: keys first. The array is fresh. */
struct crew_seat *crew_list(const struct settings *s, size_t *out_count);

/* false when processes of that kind have no store. */
bool crew_store_role(enum process_kind kind, enum store_role *out_role);

/* A system user per kind of process, and one for the private PostgreSQL. */
struct crew_users {
	bool separate;			/* we are root: each its own; else all are ours */
	struct crew_user { uid_t uid; gid_t gid; } kinds[PROCESS_KIND_COUNT], store;
};

/*
 * Looks up prefix with each kind's name behind it.
 * MU_ECONFIG  started as root and a user is missing, or is root: text has the command that helps
 */
MU_CHECKED enum mu_rc crew_users_find(const char *prefix, struct crew_users *out_users,
    struct mu_err *err);

#endif

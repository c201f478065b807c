/*
 * directory/directory_priv.h - how patient a reader is; tests choose other figures
 */
#ifndef DIRECTORY_DIRECTORY_PRIV_H
#define DIRECTORY_DIRECTORY_PRIV_H

#include "directory/directory.h"

struct directory_timing {
	int64_t bind_ms;		/* from the connection to the answer to its bind */
	int64_t again_min_ms;		/* pauses before connecting anew, half of each jitter */
	int64_t again_max_ms;
	int64_t silence_ms;		/* longest silence within a refresh */
	int64_t heartbeat_ms;		/* afterwards: silence before the server has to answer */
	int64_t answer_ms;		/* time for that answer */
	int64_t reread_min_ms;		/* pauses before a quarantined entry is read again */
	int64_t reread_max_ms;
	int64_t tick_ms;		/* how often all these are looked at */
	int64_t nap_us;			/* within a refresh, when nothing is there; below a second */
};

extern const struct directory_timing directory_timing_usual;

/* Before the loop runs. Borrowed for ever. */
void directory_timing_set(struct directory *d, const struct directory_timing *timing);

#endif

/*
 * cli/when.h - times as administrators write them
 */
#ifndef CLI_WHEN_H
#define CLI_WHEN_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * "2026-11-21T18:00:00Z" (RFC 3339), "8h", "30m", "7d" from now, or ago for what lies in the past,
 * or "17:00", the next time the local clock shows it, or the last.
 * MU_EINPUT  none of these, or on the wrong side of now
 */
MU_CHECKED enum mu_rc when_parse(const char *text, int64_t now_s, bool is_past, int64_t *out_at_s,
    struct mu_err *err);

#endif

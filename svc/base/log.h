/*
 * base/log.h - one line an event, on standard error: "event=provision.step person=... rc=retry"
 *
 * An error is logged once, where it is handled. Values go through mu_field_format, so a hostile
 * name stays one field of one line. Secrets and personal values other than random ids stay out.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/err.h"

/* Names the process in every line that follows ("process=cycle"); borrowed for ever. */
void mu_log_process(const char *name);

/*
 * Writes event and then pairs of key and value, ended by NULL:
 *   mu_log("source.verdict", "source", name, "verdict", "complete", NULL)
 */
void mu_log(const char *event, ...) __attribute__((sentinel));

/* The same with rc and text of the error behind the pairs. */
void mu_log_err(const struct mu_err *err, const char *event, ...) __attribute__((sentinel));

#endif

/*
 * proc/check.h - is what the operator wrote fit to run: configuration, policies, files, kernel
 */
#ifndef PROC_CHECK_H
#define PROC_CHECK_H

#include "base/buf.h"
#include "config/settings.h"

/*
 * Reads the configuration, or says on standard error what is wrong with it, a line a fault, and
 * returns NULL. Paths in the settings are absolute. out_text is the file's text.
 */
struct settings *check_settings(const char *config_path, struct mu_buf *out_text);

/*
 * `musterd check`: the configuration, the files it names, the policies; every fault goes to
 * standard error as "file:line:col: message", then what this kernel cannot enforce to standard
 * output. Returns the exit status: 1 if there was a fault.
 */
int check_run(const char *config_path);

#endif
